"""Tar files whose bytes depend on the names and contents of their members only: no time, no user, no permissions."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path


class TarWriter:
    """Writes members one after the other and counts their digest meanwhile. Errors of the disk are OSError."""

    def __init__(self, path: Path) -> None:
        """A new file; FileExistsError where there is one."""
        self.path = path
        self._file = open(path, "xb")  # noqa: SIM115 - closed by `finish` or `close`
        self._digest = sha256()
        self.bytes = 0

    def add(self, name: str, size: int, blocks: Iterable[bytes]) -> None:
        """A regular file of `size` bytes. Long names get the header of the POSIX standard (pax)."""
        entry = tarfile.TarInfo(name)  # mtime, uid and gid 0, no names of users, mode 0644
        entry.size = size
        self._write(entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        start = self.bytes
        for block in blocks:
            self._write(block)
        if self.bytes - start != size:
            raise ValueError(f"{name} has {self.bytes - start} bytes, not {size}")
        self._write(bytes(-size % tarfile.BLOCKSIZE))

    def finish(self) -> str:
        """The end of the file, which is flushed to the disk and closed. Returns the SHA-256 of all of it."""
        end = 2 * tarfile.BLOCKSIZE
        self._write(bytes(end + -(self.bytes + end) % tarfile.RECORDSIZE))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._digest.hexdigest()

    def close(self) -> None:
        """Of a file that is not finished."""
        self._file.close()

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._digest.update(content)
        self.bytes += len(content)
