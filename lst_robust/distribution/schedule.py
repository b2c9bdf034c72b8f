"""The order in which tasks are submitted. A task that has failed is submitted again, so many times and after a pause.

Nothing here knows what a task is or where it runs.

The task that waits and is expected to take longest is the next (longest processing time first): what is left for the
end is short, so that all workers end at about the same time. A task that has failed takes its place in this order again
after its pause: if it came after all others, a long one would keep everybody waiting at the end.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

RETRIES = 2  # times that a task is submitted again
PAUSE = 1.0  # seconds before the first retry; before each further one it is twice as long
LONGEST_PAUSE = 60.0  # seconds


class Refused(NamedTuple):
    """What a task returns in place of a result when it cannot succeed anywhere, so that a retry is of no use."""

    reason: str


@dataclass(frozen=True)
class Ticket(Generic[T]):
    """A task in a schedule. number: of the task, from 0; cost: seconds, or whatever all costs are given in; attempt:
    how many times it has failed before."""

    number: int
    task: T
    cost: float
    attempt: int = 0


_Place = tuple[int, float, int, Ticket[T]]


class Schedule(Generic[T]):
    """Tasks that wait, those that run, and those that have ended. Each call takes O(log n) time.

    tasks: each with what it is expected to cost. retries: how many times one that failed is submitted again. clock:
    gives seconds.
    """

    def __init__(
        self, tasks: Iterable[tuple[T, float]], retries: int = RETRIES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        tickets = [Ticket(number, task, cost) for number, (task, cost) in enumerate(tasks)]
        self._ready = [_place(ticket) for ticket in tickets]
        self._put_back = 0  # how many tasks have been put back
        heapq.heapify(self._ready)
        self._paused: list[tuple[float, int, Ticket[T]]] = []  # by the time at which the pause is over
        self._given_up: dict[int, tuple[T, str]] = {}
        self.running: dict[int, Ticket[T]] = {}
        self.clock = clock
        self.total, self.done, self.retries, self.resubmitted = len(tickets), 0, retries, 0

    @property
    def waiting(self) -> int:
        """Tasks that are to be submitted, those in a pause too."""
        return len(self._ready) + len(self._paused)

    @property
    def failed(self) -> list[tuple[T, str]]:
        """Tasks that are not submitted any more, each with the reason of its last failure."""
        return list(self._given_up.values())

    def next(self) -> Ticket[T] | None:
        """The longest task that waits, which runs from now on; None where none waits, or each is in its pause."""
        while self._paused and self._paused[0][0] <= self.clock():
            heapq.heappush(self._ready, _place(heapq.heappop(self._paused)[2]))
        return self._start(heapq.heappop(self._ready)) if self._ready else None

    def probe(self) -> Ticket[T] | None:
        """A task that soon tells whether tasks succeed now, and which runs from now on: the shortest of those that have
        not been tried. Where all have been, `next`. It takes O(n) time."""
        untried = [place for place in self._ready if place[-1].attempt == 0 and place[0] == 0]
        if not untried:
            return self.next()
        shortest = max(untried)
        self._ready.remove(shortest)
        heapq.heapify(self._ready)
        return self._start(shortest)

    def _start(self, place: _Place[T]) -> Ticket[T]:
        ticket = place[-1]
        self.running[ticket.number] = ticket
        return ticket

    def end(self, ticket: Ticket[T]) -> None:
        """The task has done its work, or there was none left."""
        del self.running[ticket.number]
        self.done += 1

    def fail(self, ticket: Ticket[T], reason: str, *, again: bool) -> bool:
        """The task has failed. Gives whether it waits for another attempt, which it does not where `again` is False."""
        del self.running[ticket.number]
        if again and ticket.attempt < self.retries:
            self.resubmitted += 1
            over = self.clock() + pause_after(ticket.attempt)
            heapq.heappush(self._paused, (over, ticket.number, replace(ticket, attempt=ticket.attempt + 1)))
            return True
        self._given_up[ticket.number] = (ticket.task, reason)
        return False

    def put_back(self, ticket: Ticket[T]) -> None:
        """The task has failed, or has been given up, and this may not be its own fault: it waits behind all others, and
        the failure does not count."""
        if self._given_up.pop(ticket.number, None) is None:
            del self.running[ticket.number]
        self.resubmitted += 1
        self._put_back += 1
        heapq.heappush(self._ready, _place(ticket, self._put_back))


def pause_after(failures: int) -> float:
    """Seconds to wait after so many failures before the one that has just happened."""
    return min(PAUSE * 2.0 ** min(failures, 30), LONGEST_PAUSE)


def _place(ticket: Ticket[T], behind: int = 0) -> _Place[T]:
    """Its place in the order: the numbers are different, so tickets are never compared. behind: 0 for most tasks, the
    others come after these in its order."""
    return behind, -ticket.cost, ticket.number, ticket
