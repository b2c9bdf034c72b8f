"""The driver on executors of the test's own: nothing is measured here, and nothing sleeps."""

from __future__ import annotations

import logging
from concurrent.futures import BrokenExecutor, CancelledError, Future, ThreadPoolExecutor
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lst_robust.distribution import breaker, driver
from lst_robust.distribution.driver import Driver
from lst_robust.distribution.schedule import Refused
from lst_robust.errors import CheckpointError, DataError, LstRobustError, UsageError
from lst_robust.runtime.interruption import Interruption
from tests.distribution.clock import Clock
from tests.distribution.executors import Executor, failing, tasks


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(driver, "WAKE", 0.0)


class Pending(Executor):
    """Ends no task; the test does."""

    def submit(self, function, *arguments) -> Future:
        self.submitted.append(arguments[0])
        future: Future = Future()
        future.set_running_or_notify_cancel()
        return future

    def cancel(self, futures) -> None:
        self.cancelled = list(futures)


def test_each_task_is_called_once_and_its_result_is_handed_on():
    schedule, executor, ended = tasks(5), Executor(), []
    Driver(schedule, executor, str.upper, 2, ended=lambda task, result: ended.append((task, result))).run()
    assert ended == [(f"task {n}", f"TASK {n}") for n in range(5)]
    assert executor.submitted == [f"task {n}" for n in range(5)]
    assert (schedule.done, schedule.failed, schedule.resubmitted) == (5, [], 0)


def test_no_more_than_so_many_are_submitted_at_a_time():
    executor = Pending()

    def stop(tickets) -> None:
        assert len(tickets) == 3
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(driver, "TICK", 0.0)
        with pytest.raises(KeyboardInterrupt):
            Driver(tasks(9), executor, str, 3, tick=stop).run()
    assert executor.submitted == ["task 0", "task 1", "task 2"]
    assert len(executor.cancelled) == 3, "Ctrl-C cancels what is submitted"


def test_an_executor_that_takes_many_gets_them_in_one_call():
    class Many(Executor):
        def submit_many(self, function, arguments):
            calls.append(list(arguments))
            return [self.submit(function, argument) for argument in arguments]

    calls: list[list[str]] = []
    Driver(tasks(3), Many(), str, 1000).run()
    assert calls == [["task 0", "task 1", "task 2"]]


def test_a_task_of_which_nothing_is_left_is_not_submitted():
    schedule, executor = tasks(4), Executor()
    Driver(schedule, executor, str, 1, prepare=lambda task: None if task == "task 1" else task + "!").run()
    assert executor.submitted == ["task 0!", "task 2!", "task 3!"]
    assert schedule.done == 4


def test_a_task_that_fails_is_submitted_again_after_its_pause(caplog):
    schedule, executor = tasks(3), Executor()
    Driver(schedule, executor, failing(1, OSError("stale file handle")), 1).run()
    assert executor.submitted == ["task 0", "task 1", "task 2", "task 0"]
    assert schedule.done == 3
    assert caplog.messages == ["task 0: OSError: stale file handle; it is submitted again (retry 1)"]


def test_a_task_whose_result_is_not_enough_is_submitted_again(caplog):
    schedule, executor, ends = tasks(2, retries=1), Executor(), []

    def ended(task: str, result: str) -> str | None:
        ends.append(task)
        return "lst18: out of memory" if task == "task 0" else None

    Driver(schedule, executor, str, 1, ended=ended).run()
    assert ends == ["task 0", "task 1", "task 0"]
    assert schedule.done == 1 and schedule.failed == [("task 0", "lst18: out of memory")]
    assert caplog.messages[0] == "task 0: lst18: out of memory; it is submitted again (retry 1)"


def test_the_pauses_before_retries_are_kept():
    clock, executor = Clock(step=0.05), Executor()
    at = []

    def fail(task: str) -> None:
        at.append(clock.now)
        raise OSError("stale file handle")

    schedule = tasks(1, 4, clock)
    Driver(schedule, executor, fail, 1).run()
    pauses = [later - sooner for sooner, later in pairwise(at)]
    assert pauses == pytest.approx([1, 2, 4, 8], abs=0.5) and all(
        pause >= least for pause, least in zip(pauses, [1, 2, 4, 8], strict=True)
    )
    assert [reason for _, reason in schedule.failed] == ["OSError: stale file handle"]


@pytest.mark.parametrize(
    "error", [UsageError("no such layer"), CheckpointError("no such layer")], ids=["UsageError", "CheckpointError"]
)
def test_an_error_that_a_retry_would_repeat_is_not_tried_again(error):
    schedule, executor = tasks(3), Executor()
    Driver(schedule, executor, failing(1, error), 1).run()
    assert schedule.failed == [("task 0", "no such layer")] and schedule.done == 2
    assert executor.submitted == ["task 0", "task 1", "task 2"]


def test_a_task_that_is_refused_fails_for_good():
    schedule = tasks(2)
    Driver(schedule, Executor(), lambda task: Refused("no images") if task == "task 1" else task, 2).run()
    assert schedule.failed == [("task 1", "no images")] and schedule.done == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [(CancelledError(), "it was cancelled"), (SystemExit(3), "ended by SystemExit")],
    ids=["cancelled", "SystemExit"],
)
def test_other_ends_of_a_task_are_failures_too(error, reason):
    schedule = tasks(1, retries=0)
    Driver(schedule, Executor(), failing(1, error), 1).run()
    assert schedule.failed == [("task 0", reason)]


def test_a_broken_executor_is_one_line_that_says_what_to_do():
    class Broken(Executor):
        def submit(self, function, *arguments):
            raise BrokenExecutor("a child process terminated abruptly")

    with pytest.raises(LstRobustError, match=r"takes no more tasks .*terminated abruptly.*kept"):
        Driver(tasks(3), Broken(), str, 2).run()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BrokenExecutor("terminated"), "takes no more tasks"),
        (KeyboardInterrupt(), "^$"),
        (TypeError("cannot pickle '_thread.lock' object"), r"a task cannot be sent to another process .*net\.py:build"),
    ],
    ids=["broken", "Ctrl-C", "not to be pickled"],
)
def test_where_one_cannot_be_submitted_those_before_it_are_cancelled(error, said):
    class Third(Pending):
        def submit(self, function, *arguments):
            if len(self.submitted) == 2:
                raise error
            return super().submit(function, *arguments)

    executor = Third()
    with pytest.raises((LstRobustError, KeyboardInterrupt), match=said):
        Driver(tasks(5), executor, str, 4).run()
    assert len(executor.submitted) == len(executor.cancelled) == 2


def test_ctrl_c_is_noticed_between_the_tasks_that_are_prepared(monkeypatch):
    """On a slow disk that takes minutes for a thousand tasks, and what is submitted by then is to be cancelled."""
    prepared = []

    def check() -> None:
        if len(prepared) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(driver, "check_interrupted", check)
    executor = Executor()
    with pytest.raises(KeyboardInterrupt):
        Driver(tasks(50), executor, str, 50, prepare=lambda task: prepared.append(task) or task).run()
    assert len(prepared) == 3 and not executor.submitted


def test_the_futures_of_threads_arrive():
    with ThreadPoolExecutor(4) as executor:
        schedule = tasks(50)
        Driver(schedule, executor, failing(7, OSError("stale file handle")), 4).run()
    assert schedule.done == 50 and schedule.resubmitted == 7


class BlackHole:
    """A cluster on which every task fails until a time."""

    def __init__(self, clock: Clock, until: float) -> None:
        self.clock, self.until = clock, until
        self.attempts: list[float] = []

    def __call__(self, task: str) -> str:
        self.attempts.append(self.clock.now)
        if self.clock.now < self.until:
            raise LstRobustError("the worker process died")
        return task


def test_where_all_tasks_fail_the_submitting_stops_and_goes_on_when_one_succeeds(caplog):
    clock = Clock(step=0.01)
    schedule, black_hole = tasks(200, clock=clock), BlackHole(clock, 50.0)
    Driver(schedule, Executor(), black_hole, 2).run()
    assert schedule.done == 200 and not schedule.failed
    in_vain = [time for time in black_hole.attempts if time < 50.0]
    assert 20 < len(in_vain) <= 20 + 6, "then six pauses of 1, 2 ... 32 seconds"
    assert "the last 20 tasks all failed (the worker process died)" in caplog.text
    assert caplog.messages[-1] == "the workers answer again: all tasks go on"


def test_tasks_that_were_given_up_while_all_failed_are_submitted_again():
    """8 tasks have 3 attempts each: at the 20th failure some have used up theirs."""
    clock = Clock(step=0.01)
    schedule = tasks(8, clock=clock)
    Driver(schedule, Executor(), BlackHole(clock, 30.0), 2).run()
    assert schedule.done == 8 and not schedule.failed


def test_after_some_minutes_of_failures_only_the_run_ends_and_its_tasks_have_not_failed():
    clock = Clock(step=0.05)
    schedule, black_hole = tasks(100, clock=clock), BlackHole(clock, 1e9)
    with pytest.raises(LstRobustError, match=r"the last \d+ tasks all failed \(the worker process died\).*kept"):
        Driver(schedule, Executor(), black_hole, 2).run()
    assert breaker.PATIENCE < clock.now < 2 * breaker.PATIENCE
    assert not schedule.failed and len(black_hole.attempts) < 35


def test_tasks_that_kill_their_workers_keep_no_other_from_being_done():
    """The longest thirty do, as those of a network that needs more memory than there is."""
    schedule, done = tasks(60), []

    def work(task: str) -> str:
        if int(task.split()[1]) < 30:
            raise BrokenExecutor("terminated abruptly")
        return task

    Driver(schedule, Executor(), work, 2, ended=lambda task, result: done.append(task)).run()
    assert sorted(done) == sorted(f"task {n}" for n in range(30, 60))
    assert dict(schedule.failed) == {f"task {n}": driver.WORKER_DIED for n in range(30)}


def test_while_other_tasks_still_run_the_run_does_not_end():
    """16 long tasks are on good nodes, and what is submitted beside them fails."""

    class Half(Executor):
        def __init__(self) -> None:
            super().__init__()
            self.long: list[tuple[str, Future]] = []

        def submit(self, function, *arguments) -> Future:
            if len(self.long) < 2:
                future: Future = Future()
                self.long.append((arguments[0], future))
                return future
            if clock.now > 3 * breaker.PATIENCE:
                for task, future in self.long:
                    if not future.done():
                        future.set_result(task)
            return super().submit(function, *arguments)

    clock = Clock(step=0.2)
    schedule = tasks(60, clock=clock)
    Driver(schedule, Half(), BlackHole(clock, 4 * breaker.PATIENCE), 3).run()
    assert schedule.done + len(schedule.failed) == 60 and schedule.done >= 2


def test_an_engine_with_a_queue_of_its_own_gets_more_tasks_than_run():
    class Queue(Executor):
        queue = 7
        most = 0

        def submit(self, function, /, *arguments):
            self.most += 1
            return super().submit(function, *arguments)

    executor, schedule = Queue(), tasks(30)
    given = []
    Driver(schedule, executor, lambda task: task, 2, ended=lambda task, _: given.append(executor.most)).run()
    assert given[0] == 7 and schedule.done == 30


def test_for_an_engine_with_a_queue_of_its_own_the_tasks_that_run_count():
    class Queue(Executor):
        queue = 1000

    clock = Clock(step=0.05)
    schedule, black_hole = tasks(30, clock=clock), BlackHole(clock, 1e9)
    with pytest.raises(LstRobustError, match="all failed"):
        Driver(schedule, Queue(), black_hole, 4).run()
    assert not schedule.failed


@given(
    count=st.integers(0, 30),
    at_once=st.integers(1, 6),
    retries=st.integers(0, 3),
    seed=st.integers(0, 2**32),
)
def test_every_task_is_done_or_has_failed_whatever_fails(count, at_once, retries, seed):
    random = Random(seed)  # not hypothesis's, which would find the run in which nothing ever succeeds
    errors = [OSError("disk"), UsageError("network"), CancelledError(), LstRobustError("the worker process died")]

    def work(task: str) -> object:
        if random.random() < 0.5:
            raise random.choice(errors)
        return random.choice([task, Refused("no images")])

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(driver, "WAKE", 0.0)
        patched.setattr(logging.getLogger(driver.__name__), "disabled", True)
        schedule, done = tasks(count, retries, Clock(step=1.0)), []
        Driver(schedule, Executor(), work, at_once, ended=lambda task, result: done.append(task)).run()
    assert sorted(done + [task for task, _ in schedule.failed]) == sorted(f"task {n}" for n in range(count))
    assert not schedule.running and not schedule.waiting


@pytest.mark.parametrize("error", [OSError(116, "Stale file handle"), DataError("a manifest is not to be seen")])
def test_progress_that_cannot_be_seen_ends_nothing(monkeypatch, error):
    monkeypatch.setattr(driver, "TICK", -1.0)
    looks = []

    def tick(tickets) -> None:
        looks.append(len(tickets))
        raise error

    schedule = tasks(4)
    Driver(schedule, Executor(), str.upper, 1, tick=tick).run()
    assert schedule.done == 4 and looks


def test_tasks_can_be_cancelled_while_others_are_submitted():
    """A signal may come while sbatch does not answer, and the process ends before it does."""

    class Slow(Pending):
        def submit(self, function, *arguments) -> Future:
            if self.submitted:
                [call] = Interruption.last_calls
                call()
                raise KeyboardInterrupt
            return super().submit(function, *arguments)

    executor = Slow()
    with pytest.raises(KeyboardInterrupt):
        Driver(tasks(3), executor, str, 3).run()
    assert len(executor.cancelled) == 1 and not Interruption.last_calls
