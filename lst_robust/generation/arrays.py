"""CIFAR-C's layout: <corruption>.npy, uint8 (severities x N, H, W, 3), and labels.npy.

Severities stand one after the other, the same images in the same order in each; the labels are repeated for each.
"""

from __future__ import annotations

import io
import os
from hashlib import sha256
from pathlib import Path

import numpy as np

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError
from lst_robust.generation.layout import Layout, not_written, place

LABELS = "labels.npy"
BLOCK = 2**20  # bytes hashed at once: a file may be larger than memory


class ArrayLayout(Layout):
    """One array a corruption, filled in the unfinished folder and moved when all of it is there.

    Chunks whose rows are in all unfinished arrays have an empty file there that says so.
    """

    def _final(self, corruption: str) -> Path:
        return self.folder / f"{corruption}.npy"

    def _part(self, corruption: str) -> Path:
        return self.scratch / f"{corruption}.npy"

    def _mark(self, rows: np.ndarray) -> Path:
        return self.scratch / f"done-{rows[0]}-{rows[-1]}"

    def prepare(self, labels: np.ndarray, shape: tuple[int, int]) -> None:
        super().prepare(labels, shape)
        try:
            self._allocate((len(self.severities) * len(self.names), *shape, 3))
        except OSError as error:
            raise not_written(self.scratch, error) from error
        if not (self.folder / LABELS).is_file():
            repeated = np.tile(labels.astype(np.uint8 if labels.max() < 256 else np.int64), len(self.severities))
            content = io.BytesIO()
            np.save(content, repeated)
            place(content.getvalue(), self.folder / LABELS, self.scratch)

    def _allocate(self, shape: tuple[int, ...]) -> None:
        """Empty arrays for what is not finished. Marks are believed only where all arrays they speak of are there."""
        absent = [
            name for name in self.corruptions if not self._final(name).is_file() and not self._part(name).is_file()
        ]
        if absent:
            for mark in self.scratch.glob("done-*"):
                mark.unlink()
        for name in absent:
            fresh = self.scratch / f"{name}.new"
            np.lib.format.open_memmap(fresh, mode="w+", dtype=np.uint8, shape=shape)
            os.replace(fresh, self._part(name))

    def missing(self, cell: Cell, rows: np.ndarray) -> np.ndarray:
        written = self._final(cell.corruption).is_file() or self._mark(rows).is_file()
        return rows[:0] if written else rows

    def write(self, cell: Cell, rows: np.ndarray, images: np.ndarray) -> None:
        """`rows` must follow one another. Written, not mapped: a full disk is then an error and not a signal."""
        first = self.severities.index(cell.severity) * len(self.names) + int(rows[0])
        path = self._part(cell.corruption)
        try:
            with open(path, "r+b") as file:
                _, start = _header(file)
                file.seek(start + first * images[0].nbytes)
                file.write(images.data)
        except OSError as error:
            raise not_written(path, error) from error

    def seal(self, rows: np.ndarray) -> None:
        """The rows go to the disk before the mark that says so: after a power failure they might be zeros."""
        if self._mark(rows).is_file():
            return
        try:
            for name in self.corruptions:
                if not self._final(name).is_file():
                    with open(self._part(name), "r+b") as file:
                        os.fdatasync(file.fileno())
            self._mark(rows).touch()
        except OSError as error:
            raise not_written(self._mark(rows), error) from error

    def finish(self) -> None:
        for name in self.corruptions:
            if not self._final(name).is_file():
                try:
                    os.replace(self._part(name), self._final(name))
                except OSError as error:
                    raise not_written(self._final(name), error) from error
        super().finish()

    def digest(self, cell: Cell) -> str:
        """Over the bytes of the cell's rows."""
        path = self._final(cell.corruption)
        rows = len(self.names) * len(self.severities)
        try:
            with open(path, "rb") as file:
                shape, start = _header(file)
                size = os.fstat(file.fileno()).st_size - start
                if len(shape) != 4 or shape[0] != rows or shape[3] != 3 or size != np.prod(shape):
                    raise DataError(f"{path} holds {size} bytes as {shape}, not all of its {rows} images")
                length = size // len(self.severities)
                file.seek(start + self.severities.index(cell.severity) * length)
                digest = sha256()
                while length:
                    block = file.read(min(BLOCK, length))
                    if not block:
                        raise DataError(f"{path} became shorter while it was read: verify it again")
                    digest.update(block)
                    length -= len(block)
                return digest.hexdigest()
        except FileNotFoundError:
            raise DataError(f"{path} is missing") from None
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise DataError(f"{path} is no array of uint8 ({error})") from error

    def labels_digest(self) -> str:
        try:
            return sha256((self.folder / LABELS).read_bytes()).hexdigest()
        except FileNotFoundError:
            raise DataError(f"{self.folder / LABELS} is missing") from None
        except OSError as error:
            raise DataError(f"{self.folder / LABELS} cannot be read ({error.strerror})") from error


def _header(file: io.BufferedIOBase) -> tuple[tuple[int, ...], int]:
    """Shape of a stored uint8 array and the position of its first byte; ValueError for anything else."""
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("unknown version of the format")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype != np.uint8 or fortran:
        raise ValueError(f"it holds {dtype}")
    return shape, file.tell()
