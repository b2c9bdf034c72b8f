"""Which of torchrun's processes this one is, without torch."""

from __future__ import annotations

import os

from lst_robust.errors import UsageError


def rank_and_world() -> tuple[int, int]:
    """The number of this process, from 0, and how many there are; 0 of 1 without torchrun. UsageError where its
    variables are no such numbers."""
    world = _number("WORLD_SIZE", default=1)
    rank = _number("RANK", default=0) if world > 1 else 0  # alone: another program may have set it
    if not 0 <= rank < max(world, 1):
        raise UsageError(f"RANK is {rank} and WORLD_SIZE is {world}: start the ranks with torchrun, or unset both")
    return rank, max(world, 1)


def is_leader() -> bool:
    """Whether this process is rank 0 of torchrun's, or alone. So is one whose variables are wrong: it says so."""
    try:
        return rank_and_world()[0] == 0
    except UsageError:
        return True


def _number(variable: str, *, default: int) -> int:
    text = os.environ.get(variable, str(default))
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"{variable} is {text!r}: start the ranks with torchrun, or unset it")
    return int(text)
