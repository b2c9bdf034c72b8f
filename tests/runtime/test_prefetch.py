"""Work that runs ahead in threads: in order, not too far, and not on after an error or Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import closing

import pytest

from lst_robust.runtime.interruption import Interruption
from lst_robust.runtime.prefetch import prefetch


def test_results_come_in_the_order_of_the_batches():
    def slow_first(batch: int) -> int:
        time.sleep(0.05 if batch == 0 else 0)
        return batch * 10

    assert list(prefetch(slow_first, range(7), workers=3)) == [0, 10, 20, 30, 40, 50, 60]
    assert list(prefetch(slow_first, [], workers=3)) == []


@pytest.mark.parametrize("workers", [1, 3])
def test_it_runs_ahead_by_one_batch_more_than_there_are_workers(workers):
    taken: list[int] = []

    def batches():
        for batch in range(20):
            taken.append(batch)
            yield batch

    with closing(prefetch(lambda batch: batch, batches(), workers)) as results:
        next(results)
        assert taken == list(range(workers + 2))


def test_each_thread_is_prepared_once():
    prepared: list[str] = []

    def work(batch: int) -> str:
        time.sleep(0.02)
        return threading.current_thread().name

    names = set(
        prefetch(work, range(8), workers=2, prepare_thread=lambda: prepared.append(threading.current_thread().name))
    )
    assert sorted(prepared) == sorted(names) and len(names) == 2


def test_an_error_of_a_thread_surfaces_and_the_rest_is_not_begun():
    begun: list[int] = []

    def fails(batch: int) -> int:
        begun.append(batch)
        if batch == 2:
            raise ValueError("cut short")
        return batch

    results = prefetch(fails, range(100), workers=1)
    with pytest.raises(ValueError, match="cut short"):
        list(results)
    assert max(begun) <= 2 + 2, "of those that had been handed out"


def test_a_signal_ends_it_between_two_batches():
    seen = []
    with pytest.raises(KeyboardInterrupt), Interruption():
        for result in prefetch(lambda batch: batch, range(100), workers=1):
            seen.append(result)
            if result == 3:
                os.kill(os.getpid(), signal.SIGINT)
    assert seen == [0, 1, 2, 3]
    assert not any(thread.name.startswith("worker") for thread in threading.enumerate())


def test_work_that_waits_is_told_to_stop_before_it_is_waited_for():
    stopped = threading.Event()

    def wait_unless_first(batch: int) -> bool:
        return batch == 0 or stopped.wait(30)

    begun = time.monotonic()
    with closing(prefetch(wait_unless_first, range(3), workers=2, stop=stopped.set)) as results:
        assert next(results)
    assert stopped.is_set() and time.monotonic() - begun < 20
