"""Writing files so that they are whole or not there, and taking turns among processes."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from lst_robust.errors import DataError

POLL = 0.2  # seconds between two looks whether a lock is free


def write_atomic(path: Path, content: bytes) -> None:
    """Writes a file so that it is whole or not there: temporary name, flush to disk, rename."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); what was finished before is kept: make room there, or "
            "choose a writable folder"
        ) from error


def remove(path: Path) -> None:
    """Removes a file, if it is there; DataError where it cannot be."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be removed ({error.strerror}): remove it by hand") from error


@contextmanager
def exclusive(lock: Path, *, wait: bool) -> Iterator[bool]:
    """Gives True while this process holds the lock, which then nobody else on this file system does. Where somebody
    has it, this waits, or gives False at once. A process that dies loses its locks.

    The file is removed at the end, and whoever has waited for it may then hold it together with one who made it anew:
    under the lock, look first whether the work is done. Raises DataError where the file cannot be made.
    """
    holder = FileLock(lock, timeout=-1 if wait else 0, poll_interval=POLL)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=lock.parent):  # where none can be made, an error: the lock would wait for it
            pass
        holder.acquire()
    except Timeout:
        yield False
        return
    except OSError as error:
        raise DataError(f"{lock}: cannot be made ({error.strerror}): choose a writable folder") from error
    try:
        yield True
        with suppress(OSError):  # where an open file cannot be removed it stays, empty
            lock.unlink()
    finally:
        holder.release()


def file_safe(name: str) -> str:
    """A model name as a folder name: anything but letters, digits, dot, dash and underscore becomes a dash."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "model"
