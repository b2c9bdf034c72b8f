"""The `run.parquet` of a run's folder, which several processes may replace at the same time, with locks or without.

No process ever writes over one: it could hold cells that this process has not seen, and whose own files are gone.
Instead the file that is there is moved aside, where readers still find it. If it is the one that was read, the new one,
which has all its cells, gets its name by a hard link, which fails where there is a file of that name. Only then the old
one is removed. A process that is killed in between leaves a file aside, and the next packing takes it in.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lst_robust.errors import DataError
from lst_robust.records.packed import PackedRun, read_packed_run
from lst_robust.records.record import Run
from lst_robust.runtime.files import has_gone, link_unless_there, temporary_file

PACKED, ASIDE = "run.parquet", ".run-*.parquet"
PackedStates = tuple[tuple[Path, tuple[int, int, int]], ...]
GLANCES = 2  # at a folder that seems to have no packed file
LOOKS = 50  # at a folder in which others pack at the same time
QUICK_LOOKS, PAUSE = 5, 0.005  # seconds times the number of the look, after the first ones: six in all


class PackedFile(NamedTuple):
    """A packed file as it was when it was read: what it holds, or why it cannot be used."""

    path: Path
    state: os.stat_result
    content: PackedRun | DataError


def packed_paths(folder: Path) -> list[Path]:
    """The packed files that are there: mostly one or none. `run.parquet` is the last one.

    One may lie aside when `run.parquet` is looked for, and have its place again when those aside are listed. So a
    folder that seems to have none is looked at once more.
    """
    path, found = folder / PACKED, []
    for _ in range(GLANCES):
        packed = [path] if os.path.lexists(path) else []
        found = [*sorted(folder.glob(ASIDE)), *packed]
        if found:
            break
    return found


def packed_states(folder: Path) -> PackedStates | None:
    """By which the packed files that are there are known again, in the same order; None while they are replaced."""
    try:
        return tuple((path, identity(_state(path))) for path in packed_paths(folder))
    except OSError:
        return None


class PackedReader:
    """Reads packed files, each again only when it has changed."""

    def __init__(self, *, predictions: bool = True) -> None:
        self._predictions = predictions
        self._last: list[PackedFile] = []

    def read(self, folder: Path) -> list[PackedFile]:
        """All of a folder. It is read until it stays the same, so that none is missed that is just being replaced.
        DataError where the disk refuses, and where the folder changes for seconds."""
        self._last = [one for one in self._last if one.path.parent == folder]
        for look in range(LOOKS):
            if look > QUICK_LOOKS:
                time.sleep(PAUSE * look)
            try:
                self._last = [self._file(path) for path in packed_paths(folder)]
                states = [(path, identity(_state(path))) for path in packed_paths(folder)]
            except OSError as error:
                if has_gone(error):
                    continue
                raise DataError(f"{folder / PACKED}: cannot be read ({error.strerror})") from error
            if states == [(one.path, identity(one.state)) for one in self._last]:
                return self._last
        raise DataError(f"{folder / PACKED}: others replace it again and again; try again when they have ended")

    def _file(self, path: Path) -> PackedFile:
        state = _state(path)
        for known in self._last:
            if known.path == path and identity(known.state) == identity(state):
                return known
        try:
            return PackedFile(path, state, read_packed_run(path, predictions=self._predictions))
        except DataError as error:
            _state(path)  # one that has gone meanwhile is no mistake
            if has_gone(error.__cause__) and path.exists():  # nor is one that is back
                raise error.__cause__ from None
            return PackedFile(path, state, error)


def mistake_of(file: PackedFile, run: Run) -> DataError | None:
    """Why a packed file is of no use for the run; None where it can be used."""
    if isinstance(file.content, DataError):
        return file.content
    return None if file.content.run_file.run == run else DataError(f"{file.path}: belongs to another run")


def put_packed(folder: Path, content: bytes, read: Sequence[PackedFile]) -> bool:
    """Puts a new `run.parquet`, which holds all their cells, in the place of the packed files that were read. False,
    with nothing lost, where another process has packed since: then read again.

    Raises OSError when the disk refuses; nothing is then lost, though a file may have stayed aside, where it is read.
    """
    path = folder / PACKED
    known = next((one.state for one in read if one.path == path), None)
    aside = folder / ASIDE.replace("*", uuid.uuid4().hex)
    with temporary_file(path, content, 0 if known is None else known.st_mode) as temporary:
        if known is not None and not _try_move_aside(path, aside, known):
            return False
        if not link_unless_there(temporary, path):
            return False
    for old in (*(one.path for one in read if one.path != path), *([aside] if known is not None else [])):
        old.unlink(missing_ok=True)
    return True


def identity(state: os.stat_result) -> tuple[int, int, int]:
    """By which a file is known again, also under another name."""
    return (state.st_ino, state.st_mtime_ns, state.st_size)


def _state(path: Path) -> os.stat_result:
    """Of the file, or of a link that leads nowhere. FileNotFoundError where there is neither."""
    try:
        return path.stat()
    except FileNotFoundError:
        return path.lstat()


def _try_move_aside(path: Path, aside: Path, known: os.stat_result) -> bool:
    """Moves the file, and returns whether it is the one that is known; another one gets its name back, if that is free.
    False also where another process has already taken in what was moved."""
    try:
        os.rename(path, aside)
        with aside.open("rb") as file:  # which asks the server, where `stat` might not
            same = identity(os.fstat(file.fileno())) == identity(known)
        if not same and link_unless_there(aside, path):
            aside.unlink(missing_ok=True)
    except OSError as error:
        if has_gone(error):
            return False
        raise
    return same
