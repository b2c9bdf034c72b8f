"""Sharing one set among the processes of `torchrun`, on one machine or on many with a common file system."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

from lst_robust.errors import UsageError

TIMEOUT = timedelta(days=30)  # ranks may finish hours apart; torchrun ends all of them when one fails


class Ranks(NamedTuple):
    """This process and how many there are; 0 of 1 without torchrun."""

    rank: int = 0
    world: int = 1

    def total(self, counts: Sequence[int]) -> list[int]:
        """Sums over all ranks, once every rank has called this."""
        if self.world == 1:
            return list(counts)
        import torch
        from torch import distributed

        summed = torch.tensor(counts)
        distributed.all_reduce(summed)
        return [int(count) for count in summed]


@contextmanager
def joined() -> Iterator[Ranks]:
    """Joins the group that torchrun's variables describe, if they are set. torch is imported only then."""
    ranks = Ranks(int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1)))
    if ranks.world == 1:
        yield Ranks()
        return
    if "MASTER_ADDR" not in os.environ:
        raise UsageError(f"WORLD_SIZE is {ranks.world} but MASTER_ADDR is not set: start the ranks with torchrun")
    from torch import distributed

    distributed.init_process_group("gloo", timeout=TIMEOUT)
    try:
        yield ranks
    finally:
        distributed.destroy_process_group()
