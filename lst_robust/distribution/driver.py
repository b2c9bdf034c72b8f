"""Submits the tasks of a schedule to an executor, and watches them. It measures nothing itself."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Future
from contextlib import suppress
from functools import partial
from pickle import PicklingError
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from lst_robust.distribution.breaker import Breaker
from lst_robust.distribution.pickled import cannot_travel
from lst_robust.distribution.schedule import Refused, Schedule, Ticket
from lst_robust.errors import CheckpointError, DataError, LstRobustError, NothingToEvaluateError, UsageError, reason_of
from lst_robust.runtime.interruption import check_interrupted, last_call

logger = logging.getLogger(__name__)

T = TypeVar("T")
F = TypeVar("F")
TICK = 2.0  # seconds between two looks at the tasks that run
WAKE = 0.2  # seconds within which Ctrl-C is noticed
WORKER_DIED = "the worker process died: it was killed, or its machine ran out of memory"
FINAL = (UsageError, CheckpointError, NothingToEvaluateError)  # errors that a retry would only repeat


class Executor(Protocol):
    """Anything with the `submit` of concurrent.futures, whose futures call back.

    It may also have `submit_many(function, arguments) -> futures`, for engines that take many tasks at once, and
    `cancel(futures)`, for engines whose futures cannot end a task that runs. `queue` is how many tasks it takes at a
    time where it has a queue of its own, see `queue_of`. An engine with several nodes gives `TaskFuture`s, and has
    `submit_elsewhere(function, argument, nodes) -> future`, which avoids these nodes where it can.
    """

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]: ...


class TaskFuture(Future[Any]):
    """Of a task on one of several nodes. node: its name when the task has ended; None: nobody knows it."""

    node: str | None = None


def queue_of(executor: Executor) -> int | None:
    """How many tasks an executor takes although fewer run, as Slurm's does; None where all that it takes run."""
    return getattr(executor, "queue", None)


class Driver(Generic[T]):
    """Runs all tasks of a schedule: `work(task)` on the executor, of which `at_once` run at a time.

    prepare: called before a task is submitted, gives what is left of it, or None where nothing is. ended: called with a
    task and its result, gives why the task is to be tried again, or None where it is done. tick: called every few
    seconds with the tasks that run.

    `run` returns when each task is done or has failed for good (`schedule.failed`). It raises LstRobustError when the
    executor takes no more tasks, and when all tasks have failed for some minutes, see `Breaker`. Whatever is raised
    within it, such as KeyboardInterrupt, cancels the tasks that are submitted.
    """

    def __init__(
        self,
        schedule: Schedule[T],
        executor: Executor,
        work: Callable[[T], Any],
        at_once: int,
        *,
        prepare: Callable[[T], T | None] = lambda task: task,
        ended: Callable[[T, Any], str | None] = lambda task, result: None,
        tick: Callable[[Sequence[Ticket[T]]], None] = lambda tickets: None,
    ) -> None:
        self.schedule, self._executor, self._work = schedule, executor, work
        self._most = queue_of(executor) or at_once  # that are submitted at a time
        self._prepare, self._ended, self._tick = prepare, ended, tick
        self._breaker: Breaker[T] = Breaker(at_once, schedule.clock)
        self._futures: dict[int, Future[Any]] = {}
        self._failed_on: defaultdict[int, set[str]] = defaultdict(set)  # nodes, by the number of the task
        self._queue: SimpleQueue[tuple[Ticket[T], Future[Any]]] = SimpleQueue()

    def run(self) -> None:
        with last_call(self._cancel):  # to submit tasks may take longer than a signal leaves
            try:
                self._run()
            except BaseException:
                self._cancel()
                raise

    def _run(self) -> None:
        looked = time.monotonic()
        while True:
            check_interrupted()
            self._submit()
            if not self._futures and not self.schedule.waiting:
                return
            for ticket, future in self._arrivals():
                del self._futures[ticket.number]
                self._settle(ticket, future)
            if time.monotonic() - looked > TICK:
                begun = time.monotonic()
                self._look()
                looked = time.monotonic() + 10 * (time.monotonic() - begun)  # a slow disk is looked at more rarely

    def _look(self) -> None:
        """What `tick` shows is no reason to end: a network file system may fail for a moment."""
        try:
            self._tick(list(self.schedule.running.values()))
        except (OSError, DataError) as error:
            logger.debug("the progress of tasks cannot be seen (%s)", reason_of(error))

    def _submit(self) -> None:
        """Fills the places that are free."""
        chosen: list[tuple[Ticket[T], T]] = []  # those that may run on any node
        room = self._breaker.room(self._most - len(self._futures))
        while len(chosen) < room:
            check_interrupted()  # to prepare a thousand tasks can take minutes
            ticket = self.schedule.probe() if self._breaker.is_open else self.schedule.next()
            if ticket is None:
                break
            left = self._prepare(ticket.task)
            if left is None:
                self.schedule.end(ticket)
            elif self._failed_on.get(ticket.number) and hasattr(self._executor, "submit_elsewhere"):
                nodes = sorted(self._failed_on[ticket.number])
                room -= 1
                self._register(
                    ticket, self._submitted(partial(self._executor.submit_elsewhere, self._work, left, nodes))
                )
            else:
                chosen.append((ticket, left))
        submit_many = getattr(self._executor, "submit_many", None)
        if submit_many is None:
            for ticket, left in chosen:
                self._register(ticket, self._submitted(partial(self._executor.submit, self._work, left)))
        elif chosen:
            futures = self._submitted(partial(submit_many, self._work, [left for _, left in chosen]))
            for (ticket, _), future in zip(chosen, futures, strict=True):
                self._register(ticket, future)

    def _register(self, ticket: Ticket[T], future: Future[Any]) -> None:
        """At once: what is not known here is not cancelled where the next one cannot be submitted."""
        self._futures[ticket.number] = future
        self._breaker.submitted(ticket)
        future.add_done_callback(partial(self._arrive, ticket))

    def _arrive(self, ticket: Ticket[T], future: Future[Any]) -> None:
        self._queue.put((ticket, future))

    def _submitted(self, submit: Callable[[], F]) -> F:
        """What submit() gives."""
        try:
            return submit()
        except BrokenExecutor as error:
            raise LstRobustError(
                f"the executor takes no more tasks ({reason_of(error)}): what was finished is kept; give run() a new "
                "one, or None: its own processes are replaced when they are killed"
            ) from error
        except (PicklingError, TypeError, AttributeError) as error:
            raise UsageError(cannot_travel(error)) from error

    def _arrivals(self) -> Iterator[tuple[Ticket[T], Future[Any]]]:
        """Those that have ended; it waits a moment for the first one."""
        with suppress(Empty):
            yield self._queue.get(timeout=WAKE)
            while True:
                yield self._queue.get_nowait()

    def _settle(self, ticket: Ticket[T], future: Future[Any]) -> None:
        node = getattr(future, "node", None)
        try:
            result = future.result()
        except CancelledError:
            self._try_again(ticket, "it was cancelled", node)
        except BrokenExecutor:
            self._try_again(ticket, WORKER_DIED, node)
        except BaseException as error:  # of the task, wherever it ran
            check_interrupted()
            reason = reason_of(error) if isinstance(error, Exception) else f"ended by {type(error).__name__}"
            if isinstance(error, FINAL):
                self._leave_out(ticket, reason)
            else:
                self._try_again(ticket, reason, node)
        else:
            if isinstance(result, Refused):
                self._leave_out(ticket, result.reason)
            else:
                self._worked()
                again = self._ended(ticket.task, result)
                if again is None:
                    self.schedule.end(ticket)
                else:
                    self._fail(ticket, again, node)

    def _leave_out(self, ticket: Ticket[T], reason: str) -> None:
        self._worked()
        self.schedule.fail(ticket, reason, again=False)
        _warn_left_out(ticket, reason)

    def _worked(self) -> None:
        if self._breaker.worked():
            logger.warning("the workers answer again: all tasks go on")

    def _try_again(self, ticket: Ticket[T], reason: str, node: str | None) -> None:
        """After a failure that may be the node's: while all tasks fail, it does not count."""
        if self._breaker.is_open:
            self.schedule.put_back(ticket)
            self._breaker.failed(ticket, given_up=False)
            logger.debug("%s: %s; it is submitted again", ticket.task, reason)
            if not self._futures:  # else there is still hope
                self._breaker.check_patience(reason)
            return
        waits = self._fail(ticket, reason, node)
        for one in self._breaker.failed(ticket, given_up=not waits):
            self.schedule.put_back(one)
        if self._breaker.is_open:
            self._failed_on.clear()  # it was not the fault of these nodes
            logger.warning("%s", self._breaker.line(reason))

    def _fail(self, ticket: Ticket[T], reason: str, node: str | None) -> bool:
        """Gives whether the task waits for another attempt. node: where it has failed, which the attempt avoids."""
        waits = self.schedule.fail(ticket, reason, again=True)
        if waits and node is not None:
            self._failed_on[ticket.number].add(node)
        where = "" if node is None else f" (on node {node})"
        if waits:
            logger.warning("%s: %s%s; it is submitted again (retry %d)", ticket.task, reason, where, ticket.attempt + 1)
        else:
            _warn_left_out(ticket, reason + where)
        return waits

    def _cancel(self) -> None:
        cancel = getattr(self._executor, "cancel", None)
        futures = list(self._futures.values())
        with suppress(Exception):  # an engine that has gone has no tasks any more
            if cancel is not None:
                cancel(futures)
            for future in futures:
                future.cancel()


def _warn_left_out(ticket: Ticket[Any], reason: str) -> None:
    logger.warning("%s: %s; it is left out, and the others go on", ticket.task, reason)
