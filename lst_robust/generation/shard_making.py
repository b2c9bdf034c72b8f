"""How one process makes shards of a set: which of them lack cells, who makes them, and files named when they are whole.

All cells of one shard are written at the same time, so that an image is decoded once: 95 open files, whatever there is
to do. The workers take chunks of the shard in order, each through all cells. A chunk is put into a cell when the chunk
before it has been, and chunks follow one another through the cells as cars through a town, without waiting much. So
there are never more decoded images in memory than the workers have in hand.

Where locks only pretend, two processes may make the same shard. Each writes into a folder of its own, and gives its
files their names when they are whole: whoever is the last replaces files by those of the same bytes.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError, UsageError
from lst_robust.generation.engines import SetEngine
from lst_robust.generation.layout import UNFINISHED, make_folder, not_written
from lst_robust.generation.shard_input import InputShard
from lst_robust.generation.shard_manifest import (
    ShardPart,
    ShardSet,
    TarDigest,
    is_there,
    part_of,
    source_digest,
    write_part,
)
from lst_robust.generation.shard_naming import Cut
from lst_robust.generation.shard_work import ShardWork
from lst_robust.generation.tar_writer import TarWriter
from lst_robust.runtime.file_lock import file_lock
from lst_robust.runtime.interruption import check_interrupted
from lst_robust.runtime.progress import Observer

ABANDONED = 600.0  # seconds without a write after which unfinished work counts as that of a process that was killed


@dataclass(frozen=True)
class Options:
    """workers: threads."""

    workers: int
    skip_unreadable: bool
    cut: Cut
    engine: SetEngine


def found_of(folder: Path, whole: ShardSet, shard: Path) -> tuple[ShardPart | None, list[Cell]]:
    """What is noted of a shard that has been made, None where it has not, and the cells whose file it lacks.

    whole: what the manifest says. UsageError where the shard had other bytes when it was made.
    """
    part = part_of(folder, whole, shard.name)
    if part is None:
        return None, whole.cells
    if part.source != source_digest(shard):
        raise UsageError(
            f"{folder} holds another set (made from a shard {shard.name} of other bytes): choose another folder, or "
            "remove it"
        )
    return part, [cell for cell in whole.cells if not is_there(folder, whole, shard.name, cell, part)]


class ShardMaker:
    """Makes the shards of one process, one after the other; counts what it writes and finds."""

    def __init__(self, folder: Path, plan: ShardSet, whole: ShardSet, options: Options, observer: Observer) -> None:
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
                try:
                    self._make(shard)
                except DataError:  # where locks only pretend, another process may have made the shard meanwhile
                    if not self._is_kept(shard):
                        raise
        return True

    def _is_kept(self, shard: Path) -> bool:
        """Whether the shard is complete in all cells, which counts. UsageError where it was made from other bytes."""
        part, missing = found_of(self.folder, self.whole, shard)
        if part is None or missing:
            return False
        self._count(part, written=0)
        return True

    def _make(self, shard: Path) -> None:
        """The cells that the shard lacks."""
        part, cells = found_of(self.folder, self.whole, shard)
        settings, source, options = self.plan.settings, source_digest(shard), self.options
        with closing(
            InputShard(shard, self._image_ids, settings.image_format or "jpeg", options.cut.geometry)
        ) as clean:
            if options.skip_unreadable:
                clean.skip_unreadable(options.workers)
            with _Unfinished(self.folder, shard.name, cells) as tars:
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
        tars.remove_others(0.0)
        self._count(again, written=len(cells))

    def _count(self, part: ShardPart, written: int) -> None:
        """written: cells."""
        self.images += part.images
        self.written += part.images * written
        self.kept += part.images * (len(self.plan.cells) - written)
        self.skipped += part.skipped


class _Unfinished:
    """The corrupted shards of one clean shard before they are whole, in a folder of this process that goes away."""

    def __init__(self, folder: Path, shard: str, cells: Sequence[Cell]) -> None:
        """folder: of the set. shard: the name of the clean shard."""
        self._set, self._cells = folder, cells
        self._name = re.compile(re.escape(f"{UNFINISHED}-{shard}-") + "[0-9a-f]{32}")
        self._folder = folder / f"{UNFINISHED}-{shard}-{uuid4().hex}"
        self.writers: dict[Cell, TarWriter] = {}

    def __enter__(self) -> _Unfinished:
        """Removes what processes that were killed have left there."""
        make_folder(self._folder)
        self.remove_others(ABANDONED)
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

    def remove_others(self, age: float) -> None:
        """Removes the folders of other processes for the same shard in which nothing has been written for so many
        seconds."""
        with suppress(OSError):
            others = [path for path in self._set.iterdir() if self._name.fullmatch(path.name) and path != self._folder]
            for folder in others:
                if not age or _last_change(self._folder) - _last_change(folder) > age:
                    shutil.rmtree(folder, ignore_errors=True)

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


def _last_change(folder: Path) -> float:
    """When a file in the folder was written last, by the clock of the file system, which may not be this machine's."""
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))


def _close(writer: TarWriter) -> None:
    with suppress(OSError):
        writer.close()
