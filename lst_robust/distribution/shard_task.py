"""One task: some shards of a corrupted set, in all cells. It can be pickled, and run anywhere and any number of times.

What it makes is in the set's folder, shard by shard, each with its part of the manifest. A shard that is complete when
the task comes to it is left as it is, whoever has made it. One that another process works on is waited for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lst_robust.distribution import working_folder
from lst_robust.distribution.release import Release
from lst_robust.distribution.schedule import Refused
from lst_robust.errors import NothingToEvaluateError, UsageError, reason_of
from lst_robust.generation.engines import WITHOUT_TORCH, engine_for_sets
from lst_robust.generation.inputs import KEEP
from lst_robust.generation.settings import Settings
from lst_robust.generation.shard_making import found_of
from lst_robust.generation.shard_manifest import ShardSet, read_set
from lst_robust.generation.shard_naming import CleanShards, Cut
from lst_robust.generation.shards import make_claimed
from lst_robust.runtime.cores import worker_count
from lst_robust.torch_engine.choice import EngineName

if TYPE_CHECKING:
    import torch

OWN = (UsageError, NothingToEvaluateError)  # errors of a shard, which it has everywhere


class ShardsResult(NamedTuple):
    """failed: names of shards that cannot be made anywhere, with the reason."""

    failed: Mapping[str, str]


@dataclass(frozen=True)
class HowShards:
    """What all tasks of a set have in common.

    folder: of the set, which has its MANIFEST.json; called_in: the folder in which relative paths are meant; engine,
    device: "auto" is what the worker has; threads: None or 0 are one for each core of the worker.
    """

    folder: Path
    settings: Settings
    cut: Cut
    called_in: Path
    skip_unreadable: bool = False
    engine: EngineName = "cpu"
    device: str = "auto"
    threads: int | None = None


@dataclass(frozen=True, eq=False)
class ShardsTask:
    """shards: the clean ones."""

    shards: tuple[Path, ...]
    how: HowShards

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpacked, (Release(), self.shards, self.how)

    def __str__(self) -> str:
        first, more = self.shards[0].name, len(self.shards) - 1
        return f"{first} and {more} more shards" if more else first

    def __call__(self) -> ShardsResult | Refused:
        """Makes what is missing. Errors that a shard would have anywhere are in the result, or are the `Refused` of
        all. Another one, such as that of a disk or a device, is raised when all shards have been tried."""
        how = self.how
        try:
            working_folder.enter(how.called_in)
            device = how.device if how.device in WITHOUT_TORCH else _device(how.device)
            size = None if how.settings.size == KEEP else int(how.settings.size)
            failed = make_claimed(
                CleanShards(self.shards, how.cut),
                how.folder,
                how.settings,
                skip_unreadable=how.skip_unreadable,
                workers=worker_count(how.threads or None),
                engine=engine_for_sets(how.engine, device, size, how.settings.preset),
            )
        except OWN as error:
            return Refused(reason_of(error))
        for reason in failed.values():
            if not isinstance(reason, OWN):
                raise reason
        return ShardsResult({name: reason_of(reason) for name, reason in failed.items()})

    def left(self) -> ShardsTask | None:
        """The task without the shards that are complete by now; None where all are."""
        whole = read_set(self.how.folder)
        left = tuple(shard for shard in self.shards if not is_complete(self.how.folder, whole, shard))
        return replace(self, shards=left) if left else None


def is_complete(folder: Path, whole: ShardSet, shard: Path) -> bool:
    """Whether all cells of a shard are there. whole: what the manifest says."""
    try:
        part, missing = found_of(folder, whole, shard)
    except UsageError:  # made of other bytes or settings: the task that makes it says so
        return False
    return part is not None and not missing


def _device(name: str) -> torch.device:
    from lst_robust.distribution.worker_device import (
        device_of_worker,  # imports torch, which the CPU's engine needs not
    )

    return device_of_worker(name)


def _unpacked(release: Release, *fields: Any) -> ShardsTask:
    return ShardsTask(*fields)


def run_shards_task(task: ShardsTask) -> ShardsResult | Refused:
    """`task()`, as a function that can be pickled by its name."""
    return task()
