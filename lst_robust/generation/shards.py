"""Writes a corrupted set of tar shards: each shard is read once, and becomes a shard in every cell.

All cells of one shard are written at the same time, so that an image is decoded once: 95 open files, whatever there is
to do. The workers take chunks of the shard in order, each through all cells. A chunk is put into a cell when the chunk
before it has been, and chunks follow one another through the cells as cars through a town, without waiting much. So
there are never more decoded images in memory than the workers have in hand.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

from lst_robust.arguments import instance, items, optional, path, whole_number, yes_or_no
from lst_robust.benchmark import Cell
from lst_robust.errors import DataError, NothingToEvaluateError, UsageError
from lst_robust.generation.engines import SetEngine
from lst_robust.generation.generator import Generated
from lst_robust.generation.layout import UNFINISHED, make_folder, not_written
from lst_robust.generation.manifest import Settings
from lst_robust.generation.shard_input import InputShard
from lst_robust.generation.shard_manifest import (
    ShardPart,
    ShardSet,
    TarDigest,
    claim,
    complete,
    is_there,
    part_of,
    planned,
    read_set,
    source_digest,
    write_part,
)
from lst_robust.generation.shard_naming import CleanShards, Cut
from lst_robust.generation.shard_work import ShardWork
from lst_robust.generation.tar_writer import TarWriter
from lst_robust.runtime.file_lock import file_lock
from lst_robust.runtime.interruption import check_interrupted
from lst_robust.runtime.process_group import process_group
from lst_robust.runtime.progress import Observer, Silent, checked_observer


@dataclass(frozen=True)
class GeneratedShards(Generated):
    """What a call of `generate_shards` did. images: in the shards of this call; shards: how many those are, of
    all_shards; complete: whether MANIFEST.json has all of them."""

    shards: int
    all_shards: int
    complete: bool


def share_of(names: Sequence[str], share: tuple[int, int]) -> list[int]:
    """Positions of the shards i, i + n, i + 2 n, ... that fall to the share (i, n); i is from 0 to n - 1."""
    return list(range(len(names)))[share[0] :: share[1]]


def checked_share(name: str, value: object, *, also: str = "") -> tuple[int, int]:
    """(i, n) with i from 0 to n - 1; UsageError for anything else."""
    pair = items(name, value, of=int, also=also)
    if len(pair) != 2:
        raise UsageError(f"{name} has {len(pair)} numbers: give (i, n), such as (0, 8)")
    count = whole_number(f"{name}[1]", pair[1], least=1)
    return whole_number(f"{name}[0]", pair[0], least=0, most=count - 1), count


def generate_shards(
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
    """Writes <folder>/<corruption>/<severity>/<shard> for each of the tar files, or what is missing of them.

    The bytes of an image are those of `generate` for the same id. Calls with other shares may run at the same time, on
    other machines as well; so may calls with the same share, which then take turns at the shards. What is complete is
    kept, so an interrupted call loses the shard that it has in hand.

    clean: files that `find_tars` found, and `cut_of_size` or `cut_of_suite`; share: (i, n) does the shards i, i + n,
    i + 2 n, ...; workers: threads; engine: see `engine_for_sets`.

    Raises:
        UsageError: the folder holds something else, or a corruption cannot take images of this size.
        DataError: a shard is damaged or not what `InputShard` takes, an image cannot be read, or the disk refuses.
        NothingToEvaluateError: no shards, or none of a shard's images can be read.
    """
    folder, share = path("folder", folder), checked_share("share", share)
    instance("clean", clean, CleanShards, "give CleanShards(paths, cut)")
    shards = [path(f"clean.paths[{place}]", shard) for place, shard in enumerate(clean.paths)]
    cut = instance("clean.cut", clean.cut, Cut, "make one with cut_of_size")
    instance("settings", settings, Settings, "make them with settings_for")
    if settings.format != "tar":
        raise UsageError(f"shards are written as tar files, not as {settings.format}: give the format tar")
    optional(checked_observer, "observer", observer)
    engine = SetEngine() if engine is None else instance("engine", engine, SetEngine, "make one with engine_for_sets")
    if not shards:
        raise NothingToEvaluateError("there are no shards: nothing to corrupt")
    _require_outside(folder, shards)
    started = time.perf_counter()
    plan = planned(shards, settings, cut, engine.name, engine.versions)
    options = _Options(
        whole_number("workers", workers, least=1), yes_or_no("skip_unreadable", skip_unreadable), cut, engine
    )
    mine = [shards[place] for place in share_of(plan.shards, share)]
    with process_group() as ranks:
        if ranks.leader:
            claim(folder, plan)
        ranks.wait()  # nobody writes before the folder is claimed
        whole = read_set(folder)
        watcher = observer if observer is not None and ranks.leader else Silent()
        work = _Share(folder, plan, whole, options, watcher)
        work.run(mine[ranks.rank :: ranks.world])
        images, written, kept = ranks.total([work.images, work.written, work.kept])
        done = complete(folder) if ranks.leader else True
        skipped = tuple(one for of_rank in ranks.gather(work.skipped) for one in of_rank)
    seconds = time.perf_counter() - started
    figures = (len(plan.cells), written, kept, skipped, seconds, ranks.leader, len(mine), len(shards), done)
    return GeneratedShards(folder, images, *figures)


def _require_outside(folder: Path, shards: Sequence[Path]) -> None:
    there = folder.resolve()
    for shard in shards:
        if shard.resolve().is_relative_to(there):
            raise UsageError(
                f"{folder} holds the shards that are to be corrupted ({shard.name}): choose another folder"
            )


@dataclass(frozen=True)
class _Options:
    workers: int
    skip_unreadable: bool
    cut: Cut
    engine: SetEngine


class _Share:
    """The shards of one process, one after the other; counts what it writes and finds."""

    def __init__(self, folder: Path, plan: ShardSet, whole: ShardSet, options: _Options, observer: Observer) -> None:
        """plan: what this process makes; whole: what the manifest says, maybe with the parts of all shards."""
        self.folder, self.plan, self.whole, self.options, self.observer = folder, plan, whole, options, observer
        self.images = self.written = self.kept = 0
        self.skipped: list[str] = []
        self._image_ids = options.cut.image_ids()

    def run(self, shards: Sequence[Path]) -> None:
        """First those that nobody else works on, then the others, which are done by then or have been given up."""
        busy = [shard for shard in shards if not self._shard(shard, wait=False)]
        for shard in busy:
            self._shard(shard, wait=True)

    def _shard(self, shard: Path, wait: bool) -> bool:
        """False where another process has it."""
        check_interrupted()
        if self._is_kept(shard):
            return True
        with file_lock(self.folder / f".{shard.name}.lock", wait=wait) as ours:
            if not ours:
                return False
            if not self._is_kept(shard):
                self._make(shard)
        return True

    def _is_kept(self, shard: Path) -> bool:
        """Whether the shard is complete in all cells. UsageError where it was made from other bytes."""
        part = part_of(self.folder, self.whole, shard.name)
        if part is None:
            return False
        if part.source != source_digest(shard):
            raise UsageError(
                f"{self.folder} holds another set (made from a shard {shard.name} of other bytes): choose another "
                "folder, or remove it"
            )
        if self._missing(shard, part):
            return False
        self._count(part, written=0)
        return True

    def _missing(self, shard: Path, part: ShardPart | None) -> list[Cell]:
        cells = self.plan.cells
        return [c for c in cells if part is None or not is_there(self.folder, self.plan, shard.name, c, part)]

    def _make(self, shard: Path) -> None:
        """The cells that the shard lacks."""
        part, settings = part_of(self.folder, self.whole, shard.name), self.plan.settings
        cells, source = self._missing(shard, part), source_digest(shard)
        options = self.options
        with closing(
            InputShard(shard, self._image_ids, settings.image_format or "jpeg", options.cut.geometry)
        ) as clean:
            if options.skip_unreadable:
                clean.skip_unreadable(options.workers)
            with _Unfinished(self.folder / f"{UNFINISHED}-{shard.name}", cells) as tars:
                work = ShardWork(clean, tars, options.engine, settings, self.observer)
                work.run(options.workers)
                made = tars.finish()
                again = ShardPart(
                    source=source,
                    images=clean.images,
                    skipped=clean.skipped,
                    cells={**({} if part is None else part.cells), **made},
                )
                if part is not None and again != part:
                    raise DataError(
                        f"{shard} does not give the bytes again that {self.folder} was made of: generate the set again "
                        "in a new folder"
                    )
                if source != source_digest(shard):
                    raise DataError(f"{shard} has changed while it was read: run the same command again")
                tars.move(lambda cell: self.plan.tar(self.folder, cell, shard.name))
        if part is None:
            write_part(self.folder, self.plan, shard.name, again)
        self._count(again, written=len(cells))

    def _count(self, part: ShardPart, written: int) -> None:
        """written: cells."""
        self.images += part.images
        self.written += part.images * written
        self.kept += part.images * (len(self.plan.cells) - written)
        self.skipped += part.skipped


class _Unfinished:
    """The corrupted shards of one clean shard before they are whole, in a folder that goes away."""

    def __init__(self, folder: Path, cells: Sequence[Cell]) -> None:
        """Removes what a process that was killed has left there."""
        self._folder, self._cells = folder, cells
        self.writers: dict[Cell, TarWriter] = {}

    def __enter__(self) -> _Unfinished:
        shutil.rmtree(self._folder, ignore_errors=True)
        make_folder(self._folder)
        try:
            for cell in self._cells:
                self.writers[cell] = TarWriter(self._path(cell))
        except OSError as error:
            self.__exit__()
            raise not_written(self._folder, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
            for writer in self.writers.values():
                stack.callback(_close, writer)

    def finish(self) -> Mapping[str, TarDigest]:
        """Closes the files. Returns what they are, by the folder of their cell."""
        try:
            return {
                cell.folder: TarDigest(sha256=writer.finish(), bytes=writer.bytes)
                for cell, writer in self.writers.items()
            }
        except OSError as error:
            raise not_written(self._folder, error) from error

    def move(self, place: Callable[[Cell], Path]) -> None:
        """Gives each file its name."""
        for cell in self._cells:
            target = place(cell)
            make_folder(target.parent)
            try:
                os.replace(self._path(cell), target)
            except OSError as error:
                raise not_written(target, error) from error

    def _path(self, cell: Cell) -> Path:
        return self._folder / f"{cell.corruption}-{cell.severity}.tar"


def _close(writer: TarWriter) -> None:
    with suppress(OSError):
        writer.close()
