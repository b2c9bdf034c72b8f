"""Processes that take turns, by a lock file, or by a marker where the file system has no locks.

No record relies on it: where two processes hold the same lock, as on file systems that only pretend to have locks, work
is done twice, and nothing is lost.
"""

from __future__ import annotations

import errno
import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from lst_robust.errors import DataError
from lst_robust.runtime.interruption import check_interrupted, interrupted

logger = logging.getLogger(__name__)
POLL = 0.2  # seconds between two looks whether a lock is free
NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}  # what flock says on some NFS, Lustre, FUSE
SIGN_OF_LIFE, OLDEST = 20.0, 120.0  # seconds: how often a marker is renewed, and from which age on it counts no more
_said: set[int] = set()  # file systems, by number, that the log has named


@contextmanager
def file_lock(lock: Path, *, wait: bool) -> Iterator[bool]:
    """Gives True while this process holds the lock, which then nobody else on this file system does. Where somebody
    has it, this waits (Ctrl-C ends the waiting), or gives False at once. A process that dies loses its locks.

    The file is removed at the end, and whoever has waited for it may then hold it together with one who made it anew:
    under the lock, look first whether the work is done. Where there are no locks, a file that is made by one process
    alone stands for it; that of a process that dies counts for two minutes more. Raises DataError where no file can be
    made.
    """
    holder = FileLock(lock, timeout=-1 if wait else 0, poll_interval=POLL, fallback_to_soft=False)
    marker = lock.with_name(f"{lock.name}.held")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=lock.parent):  # where none can be made, an error: the lock would wait for it
            pass
        has_locks = _acquired(holder, lock)
        mine = has_locks or _marked(marker, wait)
    except Timeout:
        check_interrupted()
        yield False
        return
    except OSError as error:
        raise DataError(f"{lock}: cannot be made ({error.strerror}): choose a writable folder") from error
    if not has_locks:
        with _alive(marker, mine):
            yield mine
        return
    try:
        yield True
    finally:
        with suppress(OSError):  # where an open file cannot be removed it stays, empty
            lock.unlink()
        holder.release()


def _acquired(holder: FileLock, lock: Path) -> bool:
    """Acquires the lock; False, and one line in the log, where the file system has none."""
    try:
        holder.acquire(cancel_check=interrupted)
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and (isinstance(error, Timeout) or error.errno not in NO_LOCKS):
            raise
        with suppress(OSError):
            lock.unlink()
        system = lock.parent.stat().st_dev
        if system not in _said:
            _said.add(system)
            logger.info(
                "the file system of %s has no locks (%s): processes take turns by files, and may do some work twice",
                lock.parent,
                getattr(error, "strerror", None) or error,
            )
        return False
    return True


def _marked(marker: Path, wait: bool) -> bool:
    """Makes the marker, which only one process can; False where another one has, unless this shall wait."""
    while True:
        with suppress(FileExistsError):
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            return True
        if _age(marker) > OLDEST:
            marker.unlink(missing_ok=True)
        elif not wait:
            return False
        else:
            check_interrupted()
            time.sleep(POLL)


def _age(marker: Path) -> float:
    """Seconds since its last sign of life, by the clock of the file system; 0 where it has gone."""
    with tempfile.TemporaryFile(dir=marker.parent) as now, suppress(FileNotFoundError):
        return os.fstat(now.fileno()).st_mtime - marker.stat().st_mtime
    return 0.0


@contextmanager
def _alive(marker: Path, mine: bool) -> Iterator[None]:
    """Within it the marker, if it is ours, gives signs of life; then it is removed."""
    if not mine:
        yield
        return
    over = threading.Event()

    def renew() -> None:
        while not over.wait(SIGN_OF_LIFE):
            with suppress(OSError):
                os.utime(marker)

    thread = threading.Thread(target=renew, name="marker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        with suppress(OSError):
            marker.unlink()
