"""What both layouts of a corrupted set share: cells, the folder of unfinished work, and how a file gets its place.

Everything unfinished lies in `<set>/.unfinished/` and is moved to its place when it is whole. So a process that is
killed at any moment leaves no half-written file, and what it leaves unfinished goes away with that folder. The files of
a tree are not flushed to the disk one by one (that would cost more than making them): after a power failure some may be
empty, and are made again, or cut short, which nothing notices. Then a new folder is the safe way.
"""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError

UNFINISHED = ".unfinished"


class Layout(ABC):
    """A corrupted set as files. `missing`, `write` and `seal` may be called by many threads and processes at once."""

    def __init__(self, folder: Path, corruptions: Sequence[str], severities: Sequence[int], names: Sequence[str]):
        """names: of the N images, in their order; "<class>/<file name>" in a tree."""
        self.folder, self.scratch = folder, folder / UNFINISHED
        self.corruptions, self.severities, self.names = tuple(corruptions), tuple(severities), tuple(names)
        self.cells = [Cell(corruption, severity) for corruption in corruptions for severity in severities]

    def prepare(self, labels: np.ndarray, shape: tuple[int, int]) -> None:
        """Makes what must be there before the first `write`. labels: int (N,); shape: height and width."""
        make_folder(self.scratch)

    @abstractmethod
    def missing(self, cell: Cell, rows: np.ndarray) -> np.ndarray:
        """Those of the images `rows` (int, the rows of one chunk) that have not been written to the cell."""

    @abstractmethod
    def write(self, cell: Cell, rows: np.ndarray, images: np.ndarray) -> None:
        """Writes images (uint8, (len(rows), H, W, 3)) to their places; DataError when the disk refuses."""

    @abstractmethod
    def seal(self, rows: np.ndarray) -> None:
        """Every cell has now all of the images `rows`, a chunk."""

    def finish(self) -> None:
        """Every image has been written: moves what is left to its place and removes the unfinished work."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    @abstractmethod
    def digest(self, cell: Cell) -> str:
        """SHA-256 of the cell as it lies on disk; DataError, naming the file, when something is missing or strange."""

    def labels_digest(self) -> str | None:
        """SHA-256 of the file of labels, where the layout has one."""
        return None


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made ({error.strerror}): choose another folder to write to") from error


def place(content: bytes, path: Path, scratch: Path) -> None:
    """Writes a file so that it is whole or not there; DataError when the disk refuses."""
    temporary = scratch / uuid4().hex
    try:
        try:
            temporary.write_bytes(content)
            try:
                os.replace(temporary, path)
            except FileNotFoundError:  # the first image of its class
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise not_written(path, error) from error


def not_written(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path}: cannot be written ({error.strerror}); what was finished is kept, the same command goes on from there"
    )
