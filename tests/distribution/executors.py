"""An executor that calls at once, and what it is given."""

from __future__ import annotations

from concurrent.futures import Future

from lst_robust.distribution.schedule import Schedule
from tests.distribution.clock import Clock


class Executor:
    """Calls at once, in this thread."""

    def __init__(self) -> None:
        self.submitted: list[str] = []
        self.cancelled: list[Future] = []

    def submit(self, function, *arguments) -> Future:
        self.submitted.append(arguments[0])
        future: Future = Future()
        try:
            future.set_result(function(*arguments))
        except BaseException as error:
            future.set_exception(error)
        return future


def tasks(count: int, retries: int = 2, clock: Clock | None = None) -> Schedule[str]:
    return Schedule([(f"task {n}", float(count - n)) for n in range(count)], retries, clock or Clock(step=0.1))


def failing(times: int, error: BaseException):
    """A function whose first calls raise."""
    left = iter(range(times))

    def call(task: str) -> str:
        if next(left, None) is not None:
            raise error
        return task

    return call
