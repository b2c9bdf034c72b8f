"""Processes that take turns by a lock file."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from lst_robust.errors import DataError
from lst_robust.runtime.file_lock import OLDEST, file_lock
from lst_robust.runtime.interruption import Interruption


@pytest.fixture
def held(tmp_path):
    """A lock that another process holds, which dies at the test's end at the latest; (path, pid)."""
    path = tmp_path / "folder" / ".cell.lock"
    pid = os.fork()
    if pid == 0:
        with file_lock(path, wait=False):
            (tmp_path / "held").touch()
            time.sleep(60)
        os._exit(0)
    while not (tmp_path / "held").exists():
        time.sleep(0.005)
    yield path, pid
    with suppress(ProcessLookupError, ChildProcessError):  # the test has ended it
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_the_folder_is_made_and_the_file_goes_away(tmp_path):
    path = tmp_path / "folder" / ".cell.lock"
    with file_lock(path, wait=True) as mine:
        assert mine and path.exists()
    assert not path.exists()


def test_the_file_goes_away_where_the_work_fails(tmp_path):
    path = tmp_path / ".cell.lock"
    with pytest.raises(DataError), file_lock(path, wait=True):
        raise DataError("the disk is full")
    assert not path.exists()


def test_somebody_elses_lock_is_not_waited_for_unless_asked(held):
    with file_lock(held[0], wait=False) as free:
        assert not free
    assert held[0].exists(), "it is not ours to remove"


def test_a_lock_of_a_process_that_dies_is_free(held):
    path, pid = held
    threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
    with file_lock(path, wait=True) as mine:
        assert mine
    os.waitpid(pid, 0)


def test_a_signal_ends_the_waiting(held):
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt), Interruption(), file_lock(held[0], wait=True):
        pytest.fail("it is not free")


def test_where_no_file_can_be_made_it_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "lock", Path("/proc/nowhere/lock")):
        with (
            pytest.raises(DataError, match=r"cannot be made \(.*\): choose a writable folder") as caught,
            ExitStack() as stack,
        ):
            stack.enter_context(file_lock(path, wait=True))
        assert "\n" not in str(caught.value)


@pytest.fixture
def no_locks(monkeypatch):
    def refuses(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuses)


def test_where_there_are_no_locks_a_file_stands_for_one(no_locks, tmp_path):
    path = tmp_path / "lock"
    with file_lock(path, wait=False) as first, file_lock(path, wait=False) as second:
        assert (first, second) == (True, False)
    assert not list(tmp_path.iterdir())
    with file_lock(path, wait=False) as again:
        assert again


def test_the_file_of_a_process_that_was_killed_counts_until_it_is_old(no_locks, tmp_path):
    path, left = tmp_path / "lock", tmp_path / "lock.held"
    left.touch()
    with file_lock(path, wait=False) as young:
        assert not young and left.exists(), "it is not ours to remove"
    os.utime(left, (time.time() - OLDEST - 1,) * 2)
    with file_lock(path, wait=False) as old:
        assert old


def test_a_file_that_is_held_for_long_gives_signs_of_life(no_locks, tmp_path, monkeypatch):
    monkeypatch.setattr("lst_robust.runtime.file_lock.SIGN_OF_LIFE", 0.05)
    path, held = tmp_path / "lock", tmp_path / "lock.held"
    with file_lock(path, wait=False):
        os.utime(held, (0, 0))
        deadline = time.monotonic() + 10
        while held.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert held.stat().st_mtime > 0
        with file_lock(path, wait=False) as other:
            assert not other
