"""Processes of this machine: one that is killed is replaced, and only its own task fails."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path
from types import SimpleNamespace

import pytest

from lst_robust.distribution import local, schedule
from lst_robust.distribution.driver import Driver
from lst_robust.distribution.local import LocalExecutor, _devices
from lst_robust.distribution.schedule import Schedule
from lst_robust.errors import UsageError
from tests.clusters.slurm import until


def pid(_: object = None) -> int:
    return os.getpid()


def kill_once(mark: Path) -> int:
    """Is killed where the mark is not there yet."""
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def long(mark: Path) -> None:
    mark.touch()
    time.sleep(600)


@pytest.fixture(scope="module")
def executor():
    with LocalExecutor(2) as made:
        yield made


def test_each_task_goes_to_the_worker_with_the_fewest(executor):
    first = [executor.submit(pid) for _ in range(4)]
    pids = [future.result() for future in first]
    assert len(set(pids)) == 2 and os.getpid() not in pids


def threads_of_torch() -> tuple[int, str | None]:
    import torch

    return torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")


@pytest.mark.parametrize(
    ("variable", "threads", "expected"), [(None, 2, 2), ("4", 1, 1), ("1", 2, 1), ("0", 1, 1), ("2,1", 1, 1)]
)
def test_a_worker_computes_by_the_threads_that_it_is_given_and_no_more_than_the_user_allows(
    variable, threads, expected, monkeypatch
):
    monkeypatch.delenv("OMP_NUM_THREADS")
    if variable is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    with LocalExecutor(1, threads=threads) as one:
        assert one.submit(threads_of_torch).result() == (expected, str(expected))


def test_a_worker_that_is_killed_is_replaced_and_its_task_alone_is_tried_again(executor, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(schedule, "PAUSE", 0.0)
    ended: dict[Path, int] = {}
    tasks = Schedule([(tmp_path / name, cost) for name, cost in [("killed", 9.0), ("there", 1.0), ("there too", 0.5)]])
    for mark in ("there", "there too"):
        (tmp_path / mark).touch()
    Driver(tasks, executor, kill_once, 2, ended=ended.__setitem__).run()
    assert (tasks.done, tasks.resubmitted, tasks.failed) == (3, 1, [])
    assert len(ended) == 3
    assert "killed" in caplog.text and caplog.text.count("submitted again") == 1


def test_a_worker_that_is_killed_between_two_tasks_is_replaced(executor):
    before = {executor.submit(pid).result() for _ in range(2)}
    for one in before:
        os.kill(one, signal.SIGKILL)
    alive = set()
    for _ in range(4):
        try:
            alive.add(executor.submit(pid).result(timeout=60))
        except BrokenExecutor:  # it had not noticed yet
            continue
    assert alive and not alive & before


def test_cancelling_ends_the_workers_that_run(tmp_path):
    mark = tmp_path / "begun"
    executor = LocalExecutor(1)
    future = executor.submit(long, mark)
    deadline = time.monotonic() + 60
    while not mark.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    begun = time.monotonic()
    executor.cancel([future])
    with pytest.raises(BrokenExecutor):
        future.result(timeout=60)
    assert time.monotonic() - begun < 30


def test_each_worker_sees_its_own_devices(monkeypatch):
    monkeypatch.setenv(local.VISIBLE, "3,5,6,7")
    assert [_devices(place, 2) for place in range(3)] == ["3,5", "6,7", "3,5"]
    assert [_devices(place, 1) for place in range(2)] == ["3", "5"]
    assert _devices(0, 0) is None, "0: all"


def test_after_an_error_a_new_process_takes_the_place():
    with LocalExecutor(1) as one:
        before = one.submit(pid).result(60)
        assert isinstance(one.submit(int, "x").exception(60), ValueError)
        assert one.submit(pid).result(60) != before


class OnlyHere:
    """As a class of a notebook, which the worker does not have."""

    def __reduce__(self):
        return _only_here, (os.getpid(),)


def _only_here(pid: int) -> OnlyHere:
    if os.getpid() != pid:
        raise AttributeError("Can't get attribute 'Net' on <module '__main__' (built-in)>")
    return OnlyHere()


def test_what_cannot_travel_is_said_and_kills_no_worker(executor):
    for argument, words in ((lambda: 1, "lambda"), (OnlyHere(), "Can't get attribute 'Net'")):
        error = executor.submit(pid, argument).exception(60)
        assert isinstance(error, UsageError), "the driver does not try it again"
        assert re.search(f"a task cannot be sent to another process .*{words}", str(error))


def test_a_pool_that_tells_of_a_death_under_its_own_lock_is_not_waited_for():
    """As Python's own do since 3.12: a thread that waited for that lock here waited without end."""
    lock, one = threading.Lock(), LocalExecutor(1)
    pool = SimpleNamespace(shutdown=lambda **_: lock.acquire(timeout=30) and lock.release())
    one._pools, one._loads = [pool], [1]
    dead: Future = Future()
    dead.set_exception(BrokenExecutor("killed"))
    with lock:
        began = time.monotonic()
        one._ended(0, pool, dead)
        assert time.monotonic() - began < 10
    until(lambda: one._loads == [0] and one._pools == [None], 30, "its place is free")


def test_a_failure_that_is_heard_late_does_not_end_the_new_process():
    """The old worker's future may call back when the next task is with the new one already."""
    with LocalExecutor(1) as one:
        old = one._pool(0)
        one._pools[0] = None
        new = one._pool(0)
        late: Future = Future()
        late.set_exception(BrokenExecutor("killed"))
        one._loads[0] += 1
        one._leave(0, old, late)
        assert one._pools == [new] and one._loads == [0]
        old.shutdown()
