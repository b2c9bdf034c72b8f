"""The trained weights that this project publishes: their names, where their files lie, and whether they are whole.

Nothing here imports torch. `catalogue.csv` is written by `python tools/weights.py`.
"""

from lst_robust.weights.catalogue import PublishedWeights, published_weights, weights_named
from lst_robust.weights.find import PREFIX, Found, checkpoint_path, find_weights, is_published, resolved, state_of

__all__ = [
    "PREFIX", "Found", "PublishedWeights", "checkpoint_path", "find_weights", "is_published", "published_weights",
    "resolved", "state_of", "weights_named",
]  # fmt: skip
