"""Switches of the environment that choose between compiled kernels and plain definitions."""

from __future__ import annotations

import os

from lst_robust.errors import UsageError

CORRUPTION_KERNELS = "LST_ROBUST_CORRUPTION_KERNELS"
LST_KERNELS = "LST_ROBUST_LST_KERNELS"
LST_VECTORS = "LST_ROBUST_LST_VECTORS"
REPLACED = "LST_ROBUST_KERNELS"
NUMBA_OFF = "NUMBA_DISABLE_JIT"  # numba's own switch, which debuggers set: its functions are plain Python then


def kernels_wanted(switch: str) -> bool:
    """Whether the compiled kernels are wanted (fast, the default), or the plain definitions; see `switched_off_by`."""
    return switched_off_by(switch) is None


def switched_off_by(switch: str) -> str | None:
    """The variable of the environment that asks for the plain definitions, with its value; None where none does.

    switch: CORRUPTION_KERNELS or LST_KERNELS. Raises UsageError for a value that is neither fast nor plain, and where
    the one switch of earlier releases is set.
    """
    if REPLACED in os.environ:
        raise UsageError(f"{REPLACED} is no longer read: set {CORRUPTION_KERNELS} or {LST_KERNELS} to fast or plain")
    choice = os.environ.get(switch, "fast")
    if choice not in ("fast", "plain"):
        raise UsageError(f"{switch} is {choice!r}: set it to 'fast' or 'plain', or unset it")
    if choice == "plain":
        return f"{switch}=plain"
    numba = os.environ.get(NUMBA_OFF, "0")
    return f"{NUMBA_OFF}={numba}" if switch == CORRUPTION_KERNELS and numba not in ("", "0") else None


def check_vectors() -> None:
    """Raises UsageError where LST_ROBUST_LST_VECTORS is set, and not to a number of floats that vectors can have.

    The compiled code reads it itself: at most so many floats in a vector, for tests and measurements on a processor
    that has wider ones.
    """
    choice = os.environ.get(LST_VECTORS)
    if choice not in (None, "4", "8", "16"):
        raise UsageError(f"{LST_VECTORS} is {choice!r}: set it to 4, 8 or 16, or unset it")
