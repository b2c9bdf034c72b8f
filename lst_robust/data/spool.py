"""Encoded images in a temporary file: written once in any order, read by position from any thread."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np

from lst_robust.runtime.cache import cache_root

logger = logging.getLogger(__name__)
HEADROOM = 2**30  # bytes of free disk that must remain
MISSING = -1


class Spool:
    """A file without a name in the cache's folder. It goes away with the process, however that ends.

    has_room: False when the disk would be full, or cannot be written. Then nothing more is kept.
    """

    def __init__(self, count: int, needed: int) -> None:
        """count: of the images; needed: about how many bytes they have."""
        self._places = np.full((count, 2), MISSING, np.int64)  # offset, size
        self._end, self._needed = 0, needed
        folder = _folder()
        free = shutil.disk_usage(folder).free
        self.has_room = free >= needed + HEADROOM
        if self.has_room:
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed with the spool
        else:
            self._say_full(folder, needed)

    def read(self, position: int) -> bytes | None:
        """The bytes of one image; None where they are not kept."""
        offset, size = self._places[position].tolist()
        if size == MISSING:
            return None
        content = os.pread(self._file.fileno(), size, offset)
        return content if len(content) == size else None

    def keep(self, position: int, content: bytes | memoryview) -> None:
        """Called by one thread at a time. Nothing happens when the disk is full: the image is then unpacked again."""
        if not self.has_room or self._places[position, 1] != MISSING:
            return
        size = len(memoryview(content))
        try:
            if os.pwrite(self._file.fileno(), content, self._end) != size:
                return
        except OSError:
            self.has_room = False
            self._say_full(_folder(), self._needed)
            return
        self._places[position, 0] = self._end
        self._places[position, 1] = size  # last: other threads read meanwhile
        self._end += size

    @staticmethod
    def _say_full(folder: Path, size: int) -> None:
        logger.warning(
            "%s has no room for %.1f GB of unpacked images, so that a group of them is unpacked again for each image, "
            "which is slow: make room there, or name another folder in LST_ROBUST_CACHE_DIR",
            folder,
            size / 1e9,
        )


def _folder() -> Path:
    """The cache's, or where it cannot be written the system's for temporary files."""
    folder = cache_root()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder if folder.is_dir() and os.access(folder, os.W_OK) else Path(tempfile.gettempdir())
