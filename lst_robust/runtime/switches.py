"""Switches of the environment that choose between compiled kernels and plain definitions."""

from __future__ import annotations

import os

from lst_robust.errors import UsageError

CORRUPTION_KERNELS = "LST_ROBUST_CORRUPTION_KERNELS"
LST_KERNELS = "LST_ROBUST_LST_KERNELS"
LST_VECTORS = "LST_ROBUST_LST_VECTORS"
REPLACED = "LST_ROBUST_KERNELS"


def kernels_wanted(switch: str) -> bool:
    """Whether the compiled kernels are wanted (fast, the default), or the plain definitions.

    switch: CORRUPTION_KERNELS or LST_KERNELS. Raises UsageError for a value that is neither, and where the one switch
    of earlier releases is set.
    """
    if REPLACED in os.environ:
        raise UsageError(f"{REPLACED} is no longer read: set {CORRUPTION_KERNELS} or {LST_KERNELS} to fast or plain")
    choice = os.environ.get(switch, "fast")
    if choice not in ("fast", "plain"):
        raise UsageError(f"{switch} is {choice!r}: set it to 'fast' or 'plain', or unset it")
    return choice == "fast"


def check_vectors() -> None:
    """Raises UsageError where LST_ROBUST_LST_VECTORS is set, and not to a number of floats that vectors can have.

    The compiled code reads it itself: at most so many floats in a vector, for tests and measurements on a processor
    that has wider ones.
    """
    choice = os.environ.get(LST_VECTORS)
    if choice not in (None, "4", "8", "16"):
        raise UsageError(f"{LST_VECTORS} is {choice!r}: set it to 4, 8 or 16, or unset it")
