"""Processes that take turns, by a lock file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from lst_robust.errors import DataError
from lst_robust.runtime.interruption import check_interrupted, interrupted

POLL = 0.2  # seconds between two looks whether a lock is free


@contextmanager
def file_lock(lock: Path, *, wait: bool) -> Iterator[bool]:
    """Gives True while this process holds the lock, which then nobody else on this file system does. Where somebody
    has it, this waits (Ctrl-C ends the waiting), or gives False at once. A process that dies loses its locks.

    The file is removed at the end, and whoever has waited for it may then hold it together with one who made it anew:
    under the lock, look first whether the work is done. Raises DataError where the file cannot be made.
    """
    holder = FileLock(lock, timeout=-1 if wait else 0, poll_interval=POLL)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=lock.parent):  # where none can be made, an error: the lock would wait for it
            pass
        holder.acquire(cancel_check=interrupted)
    except Timeout:
        check_interrupted()
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
