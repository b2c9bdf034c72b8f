"""Sharing work among the processes of `torchrun`, on one machine or on many with a common file system.

torch is imported only where there are several processes, so that commands without it stay light.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

from lst_robust.errors import LstRobustError, UsageError
from lst_robust.runtime.rank import rank_and_world

TIMEOUT = timedelta(days=30)  # ranks may finish hours apart; torchrun ends all of them when one fails


class Ranks(NamedTuple):
    """This process and how many there are; 0 of 1 without torchrun. Every rank must make the calls below."""

    rank: int = 0
    world: int = 1

    @property
    def leader(self) -> bool:
        """Whether this is the process that writes what there is one of, and speaks."""
        return self.rank == 0

    def wait(self) -> None:
        """Returns once every rank has come here."""
        self.total([0])

    def total(self, counts: Sequence[int]) -> list[int]:
        """Sums over all ranks."""
        if self.world == 1:
            return list(counts)
        import torch
        from torch import distributed

        summed = torch.tensor(counts)
        distributed.all_reduce(summed)
        return [int(count) for count in summed]

    def gather(self, value: Any) -> list[Any]:
        """Each rank's value, in the order of the ranks."""
        values = [value]
        if self.world > 1:
            from torch import distributed

            values = [None] * self.world
            distributed.all_gather_object(values, value)
        return values


@contextmanager
def process_group() -> Iterator[Ranks]:
    """Joins the group that torchrun's variables describe, if they are set. Inside of another one nothing happens.
    Tensors on the CPU go through gloo, those on CUDA through nccl, each rank on the device of its number.

    Raises UsageError when torchrun's variables are not complete, LstRobustError when another process has stopped.
    """
    ranks = Ranks(*rank_and_world())
    if ranks.world == 1:
        yield Ranks()
        return
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise UsageError(f"WORLD_SIZE is {ranks.world} but {missing[0]} is not set: start the ranks with torchrun")
    import torch
    from torch import distributed

    if distributed.is_initialized():
        yield ranks
        return
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
        backend = "cpu:gloo,cuda:nccl"
    distributed.init_process_group(backend, timeout=TIMEOUT)
    try:
        yield ranks
    except RuntimeError as error:
        if not isinstance(error, distributed.DistError) and "gloo" not in str(error):
            raise
        raise LstRobustError(
            f"rank {ranks.rank} stops: another of the {ranks.world} processes has gone, and its own message says why"
        ) from error
    finally:
        # With torch 2.4 the group waits for its threads when it is destroyed and does not let go of the interpreter's
        # lock, which such a thread needs in order to drop the last tensor: both would wait for ever. While this name
        # holds the part that is of gloo, it outlives the group, and where it ends with the name, the lock is let go of.
        gloo = distributed.distributed_c10d._get_default_group()._get_backend(torch.device("cpu"))
        distributed.destroy_process_group()
        del gloo
