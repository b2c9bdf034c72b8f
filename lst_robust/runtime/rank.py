"""Which of torchrun's processes this one is, without torch."""

from __future__ import annotations

import os


def rank_and_world() -> tuple[int, int]:
    """The number of this process, from 0, and how many there are; 0 of 1 without torchrun."""
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def is_leader() -> bool:
    """Whether this process is rank 0 of torchrun's, or alone."""
    return rank_and_world()[0] == 0
