"""What tasks have made of their plans so far: progress, what failed, and in the end the records."""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Sequence

from lst_robust.analysis.evaluation import Evaluation, FailedNetwork
from lst_robust.benchmark import Cell
from lst_robust.distribution.schedule import RETRIES, Ticket
from lst_robust.distribution.task import CellsTask, TaskResult
from lst_robust.errors import DataError
from lst_robust.evaluation.plan import EvalPlan
from lst_robust.records.store import Store
from lst_robust.records.stored import StoredRecords, stored_records
from lst_robust.runtime.interruption import check_interrupted
from lst_robust.runtime.progress import Observer

logger = logging.getLogger(__name__)
VISIBLE = 90.0  # seconds until a file that another machine has written is to be seen: NFS looks again after 60 at most
LOOK = 2.0  # seconds between two looks for it


class Outcome:
    """plans: of all networks; what they miss is what the tasks shall measure. retries: times that a task is tried
    again in which a network could not go on: it may have been the worker that lacked memory."""

    def __init__(self, plans: Sequence[EvalPlan], store: Store, observer: Observer, *, retries: int = RETRIES) -> None:
        self._plans = {plan.run.digest: plan for plan in plans}
        self._store, self._observer = store, observer
        self._failed: defaultdict[str, dict[Cell, str]] = defaultdict(dict)
        self._stopped: dict[str, str] = {}
        self._retries, self._stops = retries, Counter[tuple[str, CellsTask]]()  # how often a network could not go on
        self._shown: defaultdict[CellsTask, int] = defaultdict(int)  # how many of its cells count as done
        self._begun = {  # cells whose file was there before, which shall be measured again
            (plan.run.digest, cell) for plan in plans for cell in plan.missing if store.has_file(plan.run, cell)
        }

    def start(self, tasks: int) -> None:
        cells = sum(len(plan.cells) for plan in self._plans.values())
        missing = sum(len(plan.missing) for plan in self._plans.values())
        plan = next(iter(self._plans.values()))
        which = plan.run.model.name if len(self._plans) == 1 else f"{len(self._plans)} networks"
        self._observer.start(
            f"evaluating {which} on {plan.run.protocol.suite} in {tasks} tasks", cells, cells - missing
        )

    def left(self, task: CellsTask) -> CellsTask | None:
        """What of a task is still to be done, before it is submitted."""
        left = task.left(self._stopped, self._store)
        if left is None:
            self._show(task, len(task.units()))
        return left

    def look(self, tickets: Sequence[Ticket[CellsTask]]) -> None:
        """Shows the cells of tasks that run, as far as their files are there."""
        for ticket in tickets:
            check_interrupted()
            there = (
                self._store.has_file(plan.run, cell)
                for plan, cell in ticket.task.units()
                if (plan.run.digest, cell) not in self._begun
            )
            self._show(ticket.task, sum(there))

    def end(self, task: CellsTask, result: TaskResult) -> str | None:
        """A task has ended. Gives why it is to be tried again; None where it is done."""
        again = None
        for digest, cells in result.failed.items():
            self._failed[digest].update(cells)
        for digest, reason in result.stopped.items():
            if digest not in self._stopped and self._stops[digest, task] < self._retries:
                self._stops[digest, task] += 1
                name = self._plans[digest].run.model.name
                again = reason if len(task.plans) == 1 else f"{name}: {reason}"
            elif digest not in self._stopped:
                self._stopped[digest] = reason
                logger.warning(
                    "%s: %s; it is left out, and the others go on", self._plans[digest].run.model.name, reason
                )
        if again is None:
            self._show(task, len(task.units()))
        return again

    def fail(self, task: CellsTask, reason: str) -> None:
        """A task that nobody tries again."""
        for plan, cell in task.units():
            self._failed[plan.run.digest].setdefault(cell, reason)

    def evaluations(self) -> tuple[list[Evaluation], list[FailedNetwork]]:
        """From the records that are there now; complete runs are packed."""
        found, failed = [], []
        until = time.monotonic() + VISIBLE
        for digest, plan in self._plans.items():
            everything = self._records(plan, until)
            lost = {cell: why for cell, why in self._failed[digest].items() if cell not in everything}
            records = everything.only(cell for cell in plan.cells if cell in everything)
            if not lost and len(records) == len(plan.cells):
                self._pack(plan)
            reason = self._stopped.get(digest) or (None if records else next(iter(lost.values()), None))
            if reason is not None:
                failed.append(FailedNetwork(plan.run.model.name, reason))
            if records:
                measured = sum(cell in records for cell in plan.missing)
                normaliser = plan.request.normaliser
                found.append(Evaluation(plan.run, records, normaliser, measured, lost, plan.skipped_images))
        return found, failed

    def _records(self, plan: EvalPlan, until: float) -> StoredRecords:
        """Those of the plan's run, without those that should have been replaced. It waits for records of other machines
        that are not to be seen yet. Cells whose records do not appear have failed."""
        digest = plan.run.digest
        while True:
            there = self._store.load(plan.run, quiet=True)
            records = {cell: record for cell, record in there.items() if plan.counts(cell, record)}
            known = records.keys() | self._failed[digest].keys()
            absent = [] if digest in self._stopped else [cell for cell in plan.cells if cell not in known]
            if not absent or time.monotonic() > until:
                break
            check_interrupted()
            time.sleep(LOOK)
        folder = self._store.results_dir
        reason = f"its record is not to be seen in {folder}: all workers must have the same folder there"
        self._failed[digest].update(dict.fromkeys(absent, reason))
        return stored_records(self._store.run_folder(plan.run), plan.run, records)

    def _show(self, task: CellsTask, done: int) -> None:
        """So many cells of a task are done, which never become fewer: a packed cell has no file of its own."""
        further = done - self._shown[task]
        if further > 0:
            self._shown[task] = done
            shown = sum(self._shown.values()) if len(self._shown) < 100 else 0
            self._observer.advance(further, f"{shown} cells" if shown else "")

    def _pack(self, plan: EvalPlan) -> None:
        try:
            self._store.pack(plan.run)
        except DataError as error:
            logger.warning("%s; the cells stay in files of their own", error)
