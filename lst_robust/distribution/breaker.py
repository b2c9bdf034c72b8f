"""Stops the submitting of tasks where all of them fail, which is then not the fault of the tasks.

A node whose disk is full, or a cluster that has lost its head, fails each task within milliseconds. Without this all
tasks would use up their retries in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from lst_robust.distribution.schedule import Ticket, pause_after
from lst_robust.errors import LstRobustError

T = TypeVar("T")

FEWEST = 20  # failures one after the other, and no other end between them, that open it
PATIENCE = 300.0  # seconds that one task after the other tries, before the run ends


class Breaker(Generic[T]):
    """Open while nothing is to be submitted but one task that tries, and after each failure a longer pause.

    running: how many tasks run at a time; as many tasks may fail by one event, so it opens after twice as many
    failures, FEWEST at least. clock: gives seconds.

    A task that has failed before another one succeeded may be to blame itself, as one that needs more memory than there
    is. A row of such tasks only does not open it.
    """

    def __init__(self, running: int, clock: Callable[[], float]) -> None:
        self._running, self._clock = running, clock
        self._row: list[int] = []  # numbers of the tasks that have failed one after the other
        self._suspects: set[int] = set()  # those that have failed before another one succeeded
        self._given_up: list[Ticket[T]] = []  # of those failures
        self._opened: float | None = None
        self._pauses = 0
        self._next_try = 0.0
        self._trying: int | None = None  # number of the task

    @property
    def is_open(self) -> bool:
        return self._opened is not None

    def room(self, free: int) -> int:
        """How many tasks may be submitted now, where there is room for so many."""
        if not self.is_open:
            return free
        return min(free, 1) if self._trying is None and self._clock() >= self._next_try else 0

    def submitted(self, ticket: Ticket[T]) -> None:
        if self.is_open:
            self._trying = ticket.number

    def worked(self) -> bool:
        """A task has ended in another way than by a failure that a retry may mend. Gives whether this closes it."""
        was_open = self.is_open
        self._suspects.update(self._row)
        self._row, self._given_up, self._opened, self._trying = [], [], None, None
        return was_open

    def failed(self, ticket: Ticket[T], *, given_up: bool) -> list[Ticket[T]]:
        """A task has failed in such a way. given_up: it is not submitted again. Where this opens the breaker, gives
        those that were given up in vain."""
        self._row.append(ticket.number)
        if self.is_open:
            if self._trying == ticket.number:
                self._trying = None
                self._pause()
            return []
        if given_up:
            self._given_up.append(ticket)
        if len(self._row) < max(FEWEST, 2 * self._running) or self._suspects.issuperset(self._row):
            return []
        self._opened, self._pauses, self._trying = self._clock(), 0, None
        self._pause()
        in_vain, self._given_up = self._given_up, []
        return in_vain

    def check_patience(self, reason: str) -> None:
        """LstRobustError where it has been open for too long. reason: of the last failure."""
        if self._opened is not None and self._clock() - self._opened > PATIENCE:
            raise LstRobustError(
                f"the last {len(self._row)} tasks all failed ({reason}): mend that, and call again; what was finished "
                "is kept, and the same call goes on from there"
            )

    def line(self, reason: str) -> str:
        """What to say when it has opened."""
        return (
            f"the last {len(self._row)} tasks all failed ({reason}): from now on one task tries at a time, after "
            "growing pauses, until one succeeds"
        )

    def _pause(self) -> None:
        self._next_try = self._clock() + pause_after(self._pauses)
        self._pauses += 1
