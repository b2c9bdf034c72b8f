"""Decoded images on disk, for sets too large for memory: each is decoded and resized once for all cells."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path

import numpy as np

from lst_robust.data.source import CACHE_BYTES, ImageSource, View, cached
from lst_robust.errors import DataError

HEADROOM = 2**30  # bytes of free disk that must remain


class Spilled(View):
    """Another source whose decoded images are kept in a temporary file, which goes away with the process.

    Read and written through the file, not mapped, so that its pages don't count as memory of the process.
    """

    def __init__(self, source: ImageSource, folder: Path) -> None:
        super().__init__(source)
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed with the source
        self._lock = threading.Lock()  # one position in the file, many reading threads
        self._present = np.zeros(len(source), bool)
        self._bytes = self.image_size**2 * 3

    def load(self, indices: np.ndarray, workers: int) -> tuple[np.ndarray, list[tuple[int, str]]]:
        images = np.empty((len(indices), self.image_size, self.image_size, 3), np.uint8)
        present = self._present[indices]
        failed: list[tuple[int, str]] = []
        if not present.all():
            images[~present], failed = self._source.load(indices[~present], workers)
        lost = {index for index, _ in failed}
        with self._lock:
            for position, index in enumerate(indices.tolist()):
                if present[position]:
                    self._fetch(index, images[position])
                elif index not in lost:
                    self._present[index] = self._keep(index, images[position])
        return images, failed

    def _fetch(self, index: int, image: np.ndarray) -> None:
        self._file.seek(index * self._bytes)
        if self._file.readinto(image.data.cast("B")) != self._bytes:
            raise DataError(f"the temporary file of decoded images of {self.place} was cut short: run again")

    def _keep(self, index: int, image: np.ndarray) -> bool:
        """False when the disk has filled up: the image is then decoded again when it is needed."""
        try:
            self._file.seek(index * self._bytes)
            return self._file.write(image.data.cast("B")) == self._bytes
        except OSError:
            return False


def decoded_once(source: ImageSource, folder: Path, max_bytes: int = CACHE_BYTES) -> ImageSource:
    """`source` with its decoded images kept: in memory if they fit into `max_bytes`, else on disk in `folder`."""
    kept = cached(source, max_bytes)
    return spilled(source, folder) if kept is source else kept


def spilled(source: ImageSource, folder: Path) -> ImageSource:
    """`source` with its decoded images kept in a temporary file in `folder`, if the disk has room for all of them."""
    needed = len(source) * source.image_size**2 * 3
    return Spilled(source, folder) if shutil.disk_usage(folder).free >= needed + HEADROOM else source
