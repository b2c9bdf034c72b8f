import threading
import time

import pytest

from lst_robust.models.lst.kernels import threads

WAYS = ("team", "pool")


@pytest.fixture(params=WAYS)
def run_all(request, monkeypatch):
    if request.param == "pool":  # what is left where torch is built without OpenMP
        monkeypatch.setattr(threads, "_openmp", lambda: None)
    elif threads._openmp() is None:
        pytest.skip("this torch is built without OpenMP")
    return threads.run_all


@pytest.mark.parametrize("n", [1, 2, 7])
def test_each_task_runs_once(run_all, n):
    done = []
    run_all([lambda i=i: done.append(i) for i in range(n)])
    assert sorted(done) == list(range(n))


def test_tasks_run_at_the_same_time(run_all):
    meeting = threading.Barrier(2, timeout=20)  # raises where one thread calls both
    run_all([meeting.wait, meeting.wait])


def test_an_error_in_a_task_reaches_the_caller_and_the_others_still_run(run_all):
    done = []

    def fail():
        raise IndexError("seventh")

    def slow():
        time.sleep(0.3)
        done.append("slow")

    with pytest.raises(IndexError, match="seventh"):
        run_all([fail, slow, lambda: done.append("fast")])
    assert sorted(done) == ["fast", "slow"]  # when it raises, nobody works on the caller's memory any more


def test_an_interrupt_that_the_team_swallowed_is_raised(monkeypatch):
    monkeypatch.setattr(threads, "_openmp", lambda: lambda *_: None)  # as if no member had come to its tasks
    with pytest.raises(KeyboardInterrupt):
        threads.run_all([list, list])


def test_several_callers_at_the_same_time_each_get_their_own(run_all):
    results = {}

    def caller(name):
        mine = []
        run_all([lambda i=i: mine.append(i) for i in range(4)])
        results[name] = sorted(mine)

    callers = [threading.Thread(target=caller, args=(name,)) for name in range(6)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(20)
    assert results == {name: [0, 1, 2, 3] for name in range(6)}
