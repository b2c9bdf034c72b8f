"""Switches of the environment that choose between compiled kernels and plain definitions."""

from __future__ import annotations

import os

from lst_robust.errors import UsageError

CORRUPTION_KERNELS = "LST_ROBUST_CORRUPTION_KERNELS"
LST_KERNELS = "LST_ROBUST_LST_KERNELS"
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
