"""A corrupted set of tar shards as tasks: some shards a task, each in all cells.

The tasks write what `generate_shards` writes, with the same locks and parts of the manifest. So they may run beside
other calls, with or without tasks, and any number of times.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lst_robust.arguments import optional
from lst_robust.distribution.driver import Driver, queue_of
from lst_robust.distribution.engines import Engine, Place
from lst_robust.distribution.schedule import Schedule, Ticket
from lst_robust.distribution.shard_task import HowShards, ShardsResult, ShardsTask, run_shards_task
from lst_robust.distribution.split import BEGINNING
from lst_robust.errors import UsageError
from lst_robust.generation.engines import SetEngine
from lst_robust.generation.settings import Settings
from lst_robust.generation.shard_making import found_of
from lst_robust.generation.shard_manifest import ShardSet, claim, complete, part_of, read_set
from lst_robust.generation.shard_naming import CleanShards
from lst_robust.generation.shards import GeneratedShards, checked_share, planned_shards, share_of
from lst_robust.runtime.interruption import check_interrupted
from lst_robust.runtime.progress import Observer, Silent, checked_observer
from lst_robust.runtime.rank import rank_and_world

logger = logging.getLogger(__name__)
SECONDS = 1e-8  # of one core for a byte of a shard and a cell: JPEG files of 110 kB, a thousand images a second


class Before(NamedTuple):
    """What was there of a call's shards when it began. kept: corrupted images; missing: shards that lack cells."""

    kept: int
    missing: list[Path]


def generate_shards_on(
    on: Engine,
    clean: CleanShards,
    folder: str | Path,
    settings: Settings,
    *,
    share: tuple[int, int] = (0, 1),
    skip_unreadable: bool = False,
    workers: int = 1,
    observer: Observer | None = None,
    engine: SetEngine | None = None,
) -> GeneratedShards:
    """`generate_shards`, with the shards made by tasks on an engine such as `Engine("local")`. The bytes are the same.

    A shard that cannot be made is named in `failed`, and the others go on. Shards that are complete are in no task. All
    workers must see the shards and the folder under the same paths.

    Raises:
        UsageError: the folder holds something else, or this is called under torchrun.
        LstRobustError: the engine takes no tasks.
        KeyboardInterrupt: the tasks that are submitted are cancelled; the same call goes on from there.
    """
    if rank_and_world()[1] > 1:
        raise UsageError("one process submits the tasks: call this without torchrun")
    share, watcher = checked_share("share", share), optional(checked_observer, "observer", observer) or Silent()
    started = time.perf_counter()
    plan, options = planned_shards(clean, folder, settings, skip_unreadable, workers, engine)
    folder = Path(folder)
    whole = claim(folder, plan)
    mine = [Path(clean.paths[place]) for place in share_of(plan.shards, share)]
    before, failed = _before(folder, whole, mine), dict[str, str]()
    kind = options.engine.kind
    how = HowShards(folder, settings, options.cut, Path.cwd(), skip_unreadable, kind, threads=workers)
    if before.missing:
        elsewhere = on if kind == "torch" else _without_devices(on)
        with elsewhere.opened(folder) as place:
            failed = _run(how, before.missing, place, len(mine), watcher)
    done, whole = complete(folder), read_set(folder)
    parts = [part for shard in mine if (part := part_of(folder, whole, shard.name)) is not None]
    images = sum(part.images for part in parts)
    written = images * len(plan.cells) - before.kept
    skipped = tuple(image for part in parts for image in part.skipped)
    figures = (len(plan.cells), written, before.kept, skipped, time.perf_counter() - started, True)
    return GeneratedShards(folder, images, *figures, len(mine), len(plan.shards), done, failed)


def _without_devices(on: Engine) -> Engine:
    if on.gpus:
        raise UsageError(
            "--gpus-per-worker reserves CUDA devices, and the CPU's engine corrupts these images: leave it out, or "
            "give --engine torch"
        )
    return replace(on, device="cpu")


def _before(folder: Path, whole: ShardSet, shards: Sequence[Path]) -> Before:
    """UsageError where a shard had other bytes when it was made."""
    kept, lacking = 0, []
    for shard in shards:
        check_interrupted()
        part, cells = found_of(folder, whole, shard)
        if part is not None:
            kept += part.images * (len(whole.cells) - len(cells))
        if part is None or cells:
            lacking.append(shard)
    return Before(kept, lacking)


def _run(how: HowShards, missing: Sequence[Path], place: Place, shards: int, observer: Observer) -> dict[str, str]:
    """Gives the shards that could not be made, with the reason. shards: of the call, with those that are there."""
    how = replace(how, device=place.device, threads=how.threads if place.threads is None else place.threads)
    queue = queue_of(place.executor)
    tasks = _tasks(how, missing, BEGINNING if queue else 0.0, queue)
    progress = _Progress(how.folder, observer)
    observer.start(f"corrupting {shards} shards in {len(tasks)} tasks", shards, shards - len(missing))
    schedule = Schedule(tasks)
    driver: Driver[ShardsTask] = Driver(
        schedule,
        place.executor,
        run_shards_task,
        place.at_once,
        prepare=progress.left,
        ended=progress.end,
        tick=progress.look,
    )
    try:
        driver.run()
    finally:
        observer.finish()
    failed = dict(progress.failed)
    for task, reason in schedule.failed:
        lost = task.left()
        failed.update({shard.name: reason for shard in ([] if lost is None else lost.shards)})
    return failed


def _tasks(
    how: HowShards, shards: Sequence[Path], least: float, most: int | None = None
) -> list[tuple[ShardsTask, float]]:
    """A shard a task, with the seconds that it is expected to take; more where they are small. least: seconds that a
    task should take, because to begin one costs time. most: how many tasks there may be."""
    cells = len(how.settings.corruptions) * len(how.settings.severities)
    seconds = [_size(shard) * cells * SECONDS for shard in shards]
    bundles = _bundles(shards, seconds, least)
    while most is not None and len(bundles) > most:
        least = max(1.2 * least, sum(seconds) / most)
        bundles = _bundles(shards, seconds, least)
    return [(ShardsTask(tuple(bundle), how), cost) for bundle, cost in bundles]


def _bundles(shards: Sequence[Path], seconds: Sequence[float], least: float) -> list[tuple[list[Path], float]]:
    """Shards that follow one another, with their seconds, which are together no more than `least`, or are one."""
    bundles: list[tuple[list[Path], float]] = []
    for shard, cost in zip(shards, seconds, strict=True):
        if bundles and bundles[-1][1] + cost <= least:
            bundles[-1][0].append(shard)
            bundles[-1] = (bundles[-1][0], bundles[-1][1] + cost)
        else:
            bundles.append(([shard], cost))
    return bundles


def _size(shard: Path) -> int:
    """In bytes; 0 of one that is not there, which its task will name."""
    with suppress(OSError):
        return shard.stat().st_size
    return 0


class _Progress:
    """Which shards are there by now, and which cannot be made."""

    def __init__(self, folder: Path, observer: Observer) -> None:
        self._folder, self._observer = folder, observer
        self._shown: set[Path] = set()
        self.failed: dict[str, str] = {}

    def left(self, task: ShardsTask) -> ShardsTask | None:
        """What of a task is still to be done, before it is submitted."""
        left = task.left()
        self._show(shard for shard in task.shards if left is None or shard not in left.shards)
        return left

    def look(self, tickets: Sequence[Ticket[ShardsTask]]) -> None:
        for ticket in tickets:
            check_interrupted()
            self.left(ticket.task)

    def end(self, task: ShardsTask, result: ShardsResult) -> None:
        self._show(task.shards)
        for name, reason in result.failed.items():
            if name not in self.failed:
                logger.warning("%s: %s; it is left out, and the others go on", name, reason)
            self.failed[name] = reason

    def _show(self, shards: Iterable[Path]) -> None:
        further = set(shards) - self._shown
        if further:
            self._shown |= further
            self._observer.advance(len(further), f"{len(self._shown)} shards")
