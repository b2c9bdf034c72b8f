"""The order of tasks, and what becomes of one that has failed. Nothing here knows what a task is or where it runs.

The task that waits and is expected to take longest is the next (longest processing time first): what is left for the
end is short, so that all workers end at about the same time.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

RETRIES = 2  # times that a task is submitted again


class Refused(NamedTuple):
    """What a task returns in place of a result when it cannot succeed anywhere, so that a retry is of no use."""

    reason: str


@dataclass(frozen=True)
class Ticket(Generic[T]):
    """A task in a schedule. number: of the task, from 0; cost: seconds, or whatever all costs are given in; attempt:
    how many times it has been submitted before."""

    number: int
    task: T
    cost: float
    attempt: int = 0


class Schedule(Generic[T]):
    """Tasks that wait, those that run, and those that have ended. Each call takes O(log n) time.

    tasks: each with what it is expected to cost. retries: how many times one that failed is submitted again.
    """

    def __init__(self, tasks: Iterable[tuple[T, float]], retries: int = RETRIES) -> None:
        tickets = [Ticket(number, task, cost) for number, (task, cost) in enumerate(tasks)]
        self._waiting = [(-ticket.cost, ticket.number, ticket) for ticket in tickets]
        heapq.heapify(self._waiting)
        self.running: dict[int, Ticket[T]] = {}
        self.failed: list[tuple[T, str]] = []
        self.total, self.done, self.retries, self.resubmitted = len(tickets), 0, retries, 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def next(self) -> Ticket[T] | None:
        """The longest task that waits, which runs from now on; None where none waits."""
        if not self._waiting:
            return None
        ticket = heapq.heappop(self._waiting)[2]
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
            once_more = replace(ticket, attempt=ticket.attempt + 1)
            heapq.heappush(self._waiting, (-ticket.cost, ticket.number, once_more))
            return True
        self.failed.append((ticket.task, reason))
        return False
