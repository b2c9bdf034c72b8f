"""What a network computes, by its answers to a few images that are always the same.

The answers are kept with each run. A network that gives others is another network, whatever its weights, settings and
names say, and its cells belong to another run.

The number of threads, fused or plain kernels, and CPU or GPU change an answer by rounding only; docs/identity.md has
what was measured. Mixed precision changes more, so the probe images are always classified in full precision.
"""

from __future__ import annotations

import numpy as np

SEED, IMAGES = 20200823, 4  # two of noise, two of smooth colours
TOLERANCE = 1e-3  # of the median, over the classes, of the answers' standard deviation over the images
ROUNDING = 1e-5  # of an answer: all that a class may change whose answer is the same for every image


def probe_images(size: int) -> np.ndarray:
    """uint8 (4, size, size, 3): the same for everybody. Two hold noise of every pixel, two a random 4 x 4 pattern."""
    random = np.random.Generator(np.random.Philox(SEED))
    coarse = random.integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    noise = random.integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    place = np.arange(size) * 4 // size
    return np.concatenate([noise, coarse[:, place][:, :, place]])


def same_answers(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two sets of answers, float32 (4, classes), are those of one network, to rounding. NaN equals NaN.

    Classes that answer the same to every image, such as masked ones, say nothing of how far answers spread.
    """
    if first.shape != second.shape:
        return False
    answers = first.astype(np.float64)
    with np.errstate(invalid="ignore"):  # of infinite answers
        spreads, sizes = answers.std(axis=0), np.abs(answers).max(axis=0)
        varied = np.isfinite(spreads) & (spreads > ROUNDING * sizes)
    allowed = np.where(varied, TOLERANCE * (np.median(spreads[varied]) if varied.any() else 0.0), 0.0)
    # np.isclose of NumPy 1 takes no tolerance for each class where an answer is not finite
    with np.errstate(invalid="ignore"):
        near = np.abs(second - answers) <= allowed + ROUNDING * np.abs(answers)
    finite = np.isfinite(second) & np.isfinite(answers)
    equal = (second == answers) | (np.isnan(second) & np.isnan(answers))
    return bool(np.where(finite, near, equal).all())
