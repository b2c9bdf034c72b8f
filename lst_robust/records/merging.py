"""Several results folders in one: `merge_results`.

A run is known by its folder: the same suite, model and digest. The cells of the same run are united. A cell that is
there twice must have the same outcome: which images were classified correctly and as which class, and the confidences
to rounding. Then one of the two is kept, with its provenance: the one that is in the folder already, or that of the
folder which was named first. A cell with two outcomes is a conflict: nothing of its run is written, unless the newest
measurement of a cell is preferred.

Every run is written whole or not at all, under the lock of packing, and read again. So a merging that was interrupted
goes on where it was, and one that is repeated writes nothing. An evaluation may work in any of the folders meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lst_robust.arguments import choice, optional, yes_or_no
from lst_robust.errors import DataError, NothingToEvaluateError
from lst_robust.records.merge_checkpoints import merge_checkpoints
from lst_robust.records.merge_folders import checked_folders, runs_of
from lst_robust.records.outcomes import Conflict
from lst_robust.records.packed import packed_run, unpacked_run
from lst_robust.records.packed_files import PACKED
from lst_robust.records.run_content import RunContent, read_run
from lst_robust.records.run_file import RunFile
from lst_robust.records.store import ATTEMPTS, Store, packing, put_content
from lst_robust.records.united import United, unite
from lst_robust.runtime.interruption import check_interrupted
from lst_robust.runtime.progress import Observer, Silent, checked_observer

logger = logging.getLogger(__name__)
NEWEST = "newest"


@dataclass
class Merged:
    """What a merging did, or would do where it was only tried (`dry_run`).

    into: the folder. runs: how many different runs the folders have.
    written: the folders of the runs that got cells. cells: how many these are, replaced ones with them.
    equal: cells of the other folders that were there already.
    replaced: cells in whose place a newer measurement stands. Only where the newest is preferred.
    checkpoints: the files of checkpoints that were copied. equal_checkpoints: how many were there already.
    conflicts: cells with two outcomes; nothing of their runs was written.
    left: files and folders that cannot be trusted, each with the reason. They stay as they are.
    """

    into: Path
    dry_run: bool
    runs: int = 0
    written: list[Path] = field(default_factory=list)
    cells: int = 0
    equal: int = 0
    replaced: int = 0
    checkpoints: list[Path] = field(default_factory=list)
    equal_checkpoints: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    left: dict[Path, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether all that lies in the other folders is now in this one."""
        return not self.conflicts and not self.left

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as `lst-robust merge --json` prints it."""
        return {
            "into": str(self.into),
            "dry_run": self.dry_run,
            "runs": self.runs,
            "written": [str(path) for path in self.written],
            "cells": self.cells,
            "equal": self.equal,
            "replaced": self.replaced,
            "checkpoints": [str(path) for path in self.checkpoints],
            "equal_checkpoints": self.equal_checkpoints,
            "conflicts": [conflict.to_dict() for conflict in self.conflicts],
            "left": [{"path": str(path), "reason": reason} for path, reason in self.left.items()],
        }


def merge_results(
    results: Iterable[str | Path],
    into: str | Path,
    *,
    prefer: str | None = None,
    dry_run: bool = False,
    observer: Observer | None = None,
) -> Merged:
    """Copies the runs and checkpoints of several results folders into one, see the top of this module.

    Args:
        results: the folders. They stay as they are.
        into: the folder that gets all. It may be one of `results`, and need not be there yet.
        prefer: "newest": of a cell with two outcomes the one that was measured last. None: such cells are conflicts.
        dry_run: says what would be done, and writes nothing.
        observer: receives progress.

    Raises:
        UsageError: an argument that cannot be meant, such as a folder that is named twice or lies inside of another.
        NothingToEvaluateError: a folder that is not there, or no run and no checkpoint in any of them.
        DataError: the disk refuses. What was merged before stays.
    """
    sources, target = checked_folders(results, into)
    prefer = None if prefer is None else choice("prefer", prefer, (NEWEST,))
    dry_run = yes_or_no("dry_run", dry_run)
    observer = optional(checked_observer, "observer", observer) or Silent()
    places = runs_of(sources)
    merged = Merged(target, dry_run, runs=len(places))
    found = merge_checkpoints(sources, target, dry_run=dry_run)
    merged.checkpoints, merged.equal_checkpoints, merged.left = found.copied, found.equal, dict(found.left)
    if not places and not (found.copied or found.equal or found.left):
        raise NothingToEvaluateError(
            f"no runs and no checkpoints in {', '.join(map(str, sources))}: give folders that lst-robust eval has "
            "written, such as results"
        )
    observer.start("merging", len(places))
    try:
        for place, holders in places.items():
            check_interrupted()
            _Merging(merged, place, prefer == NEWEST).run(holders)
            observer.advance(status=f"{place.parent.name}, {merged.cells} new cells")
    finally:
        observer.finish()
    return merged


@dataclass
class _Merging:
    """Of one run. place: of its folder, below a results folder; said: its conflicts that have been named."""

    merged: Merged
    place: Path
    newest: bool
    said: set[Conflict] = field(default_factory=set)

    def run(self, holders: Sequence[Path]) -> None:
        """holders: the results folders that have the run, besides that which gets it."""
        contents = [read_run(results, self.place) for results in holders]
        for content in contents:
            self._leave(content)
        usable = [content for content in contents if content.run_file is not None and content.records]
        if not usable:
            return
        found = self._united(usable)
        if found is None or not (found.new or found.replaced) or self.merged.dry_run:
            self._count(found)
            return
        with packing(self.merged.into / self.place):  # nobody packs the run meanwhile, where locks work
            for _ in range(ATTEMPTS):
                found = self._united(usable)
                if found is None or not (found.new or found.replaced) or self._written(found, usable):
                    self._count(found)
                    return
        raise DataError(f"{self.merged.into / self.place}: others write there all the time; merge again later")

    def _united(self, contents: Sequence[RunContent]) -> United | None:
        """None where nothing of the run may be written."""
        there = read_run(self.merged.into, self.place)
        self._leave(there)
        if (there.run_file is None and there.left) or any(path.suffix == ".parquet" for path in there.left):
            return None
        united, conflicts = unite(there, contents, newest=self.newest)
        for conflict in conflicts:
            if conflict not in self.said:
                logger.warning("%s", conflict)
                self.said.add(conflict)
                self.merged.conflicts.append(conflict)
        return None if conflicts else united

    def _written(self, united: United, contents: Sequence[RunContent]) -> bool:
        """Writes, under the lock of packing; False where another process has packed since the folder was read. A cell
        with a file of its own gets the new content there as well, because that file comes before `run.parquet`."""
        there, store = united.there, Store(self.merged.into)
        content = _same_bytes(united, contents) or packed_run(_run_file([there, *contents]), united.records)
        if not put_content(there.folder, content, there.packed):
            return False
        self._check(there.folder / PACKED, content)
        for cell in sorted(united.replaced & there.loose):
            record = united.records[cell]
            with store.claim(record.run, cell, wait=True):
                if store.find(record.run, cell) == there.records[cell]:  # else it has just been measured again
                    store.write(record)
        return True

    def _check(self, path: Path, content: bytes) -> None:
        """That the disk holds what was written."""
        try:
            same = path.read_bytes() == content
        except OSError as error:
            raise DataError(f"{path}: cannot be read after it was written ({error.strerror})") from error
        if not same:
            raise DataError(f"{path}: is not as it was written: look after the disk, and merge again")
        unpacked_run(content, path, predictions=True)

    def _count(self, united: United | None) -> None:
        if united is None:
            return
        if united.new or united.replaced:
            self.merged.written.append(self.merged.into / self.place)
        self.merged.cells += len(united.new | united.replaced)
        self.merged.replaced += len(united.replaced)
        self.merged.equal += united.equal

    def _leave(self, content: RunContent) -> None:
        for path, reason in content.left.items():
            if path not in self.merged.left:
                logger.warning("%s; it is left as it is", reason)
                self.merged.left[path] = reason


def _same_bytes(united: United, contents: Sequence[RunContent]) -> bytes | None:
    """The bytes of a `run.parquet` that holds all that shall be written. It is then copied as it is."""
    if united.there.records:
        return None
    for content in contents:
        path = content.folder / PACKED
        own = {cell for cell, file in united.files.items() if file == path}
        if own == set(united.records) == set(content.records):
            with suppress(DataError, OSError):  # it has just been replaced
                found = path.read_bytes()
                if unpacked_run(found, path, predictions=True).records == content.records:
                    return found
    return None


def _run_file(contents: Sequence[RunContent]) -> RunFile:
    """The one with the answers to the probe images, where one has them."""
    found = [content.run_file for content in contents if content.run_file is not None]
    return next((run_file for run_file in found if run_file.answers is not None), found[0])
