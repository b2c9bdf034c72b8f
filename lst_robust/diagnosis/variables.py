"""The variables of the environment that this program reads, so that a misspelt one is noticed. A test holds the list
against the sources."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

PREFIX = "LST_ROBUST_"
NAMES = (
    "AMP BASELINE BATCH_SIZE CACHE_DIR CHECKPOINT COMPILE CORRUPTED_DIR CORRUPTIONS CORRUPTION_KERNELS DATA_DIR "
    "DEBUG DEVICE ENGINE FORMAT GPUS_PER_WORKER IMAGES KERNELS LIMIT LST_KERNELS LST_VECTORS METRIC MODEL NORMALISER "
    "ON OVERWRITE PREPROCESS PRESET PUBLISHED RAY_ADDRESS RESULTS_DIR SEED SEVERITIES SHARD SIZE SKIP_UNREADABLE "
    "STYLE SUBSET SUITE TASKS_AT_ONCE TOLERANCE TRAIN TRAIN_SEED WORKERS"
)
KNOWN = frozenset(PREFIX + name for name in NAMES.split())


def misspelt(variables: Iterable[str]) -> dict[str, str]:
    """Those with the prefix that nobody reads, sorted -> the nearest that somebody reads, or an empty text."""
    strange = sorted(name for name in variables if name.startswith(PREFIX) and name not in KNOWN)
    return {name: _nearest(name.removeprefix(PREFIX)) for name in strange}


def _nearest(name: str) -> str:
    """The known variable whose name is the most like this one without the prefix, which all have."""
    found = get_close_matches(name, NAMES.split(), n=1)
    return f"{PREFIX}{found[0]}" if found else ""
