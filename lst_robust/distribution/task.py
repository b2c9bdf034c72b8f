"""One task: some networks on some cells of a suite. It can be pickled, and run anywhere and any number of times.

What it measures is in the results folder, record by record. A cell that is there when the task comes to it is left as
it is, whoever has measured it.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from lst_robust.benchmark import Cell
from lst_robust.distribution import working_folder
from lst_robust.distribution.kept_networks import KeptNetworks
from lst_robust.distribution.release import Release
from lst_robust.distribution.schedule import Refused
from lst_robust.distribution.worker_device import device_of_worker
from lst_robust.errors import (
    CheckpointError,
    LstRobustError,
    NothingToEvaluateError,
    UsageError,
    reason_of,
)
from lst_robust.evaluation.cell_images import CellImages, open_cell_images
from lst_robust.evaluation.group import NETWORK_BYTES
from lst_robust.evaluation.measure import measure_together, prepared_again
from lst_robust.evaluation.own_geometry import own_geometry
from lst_robust.evaluation.plan import EvalPlan, Prepared
from lst_robust.evaluation.request import EvalRequest
from lst_robust.evaluation.turns import Turns
from lst_robust.records.store import Store
from lst_robust.runtime.cores import worker_count
from lst_robust.runtime.portions import with_room
from lst_robust.runtime.progress import Silent

OWN = (UsageError, CheckpointError, NothingToEvaluateError)  # errors of a network, which it has everywhere


class TaskResult(NamedTuple):
    """By the digest of the run: cells that could not be measured, and networks that could not go on; why."""

    failed: dict[str, dict[Cell, str]]
    stopped: dict[str, str]


@dataclass(frozen=True, eq=False)
class CellsTask:
    """plans: of networks that see the same images; cells: those to measure of each, as far as its plan misses them.

    folder: in which relative paths are meant; device, threads: in place of the requests', "auto" and 0 are what the
    worker has.
    """

    plans: tuple[EvalPlan, ...]
    cells: tuple[Cell, ...]
    folder: Path
    device: str | None = None
    threads: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpacked, (Release(), self.plans, self.cells, self.folder, self.device, self.threads)

    def __str__(self) -> str:
        names = [plan.run.model.name for plan in self.plans]
        networks = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more networks"
        cells = self.cells[0].name if len(self.cells) == 1 else f"{self.cells[0].name} and {len(self.cells) - 1} more"
        return f"{networks} on {cells}"

    def __call__(self) -> TaskResult | Refused:
        """Measures what is missing. An error that the task would have anywhere is a `Refused`; any other one is raised,
        such as that of a disk, a device or a node."""
        try:
            working_folder.enter(self.folder)
            return _measured(self._plans_here())
        except OWN as error:
            return Refused(reason_of(error))

    def units(self) -> list[tuple[EvalPlan, Cell]]:
        """Each network with each of its cells."""
        wanted = set(self.cells)
        return [(plan, cell) for plan in self.plans for cell in plan.missing if cell in wanted]

    def left(self, stopped: Iterable[str], store: Store | None = None) -> CellsTask | None:
        """The task without the networks that have stopped, by digest, and without the cells that are there by now; None
        where nothing is left. store: of the results, which asks less when it is asked often."""
        out = set(stopped)
        store = Store(self.plans[0].request.results_dir) if store is None else store
        plans = [plan.part(self.cells) for plan in self.plans if plan.run.digest not in out]
        plans = [plan.part([cell for cell in plan.missing if not is_there(store, plan, cell)]) for plan in plans]
        plans = [plan for plan in plans if plan.missing]
        cells = tuple(cell for cell in self.cells if any(cell in plan.missing for plan in plans))
        return replace(self, plans=tuple(plans), cells=cells) if cells else None

    def _plans_here(self) -> list[EvalPlan]:
        plans = []
        store = Store(self.plans[0].request.results_dir)
        for plan in self.plans:
            part = plan.part(self.cells)
            part = part.part([cell for cell in part.missing if not is_there(store, part, cell)])
            if part.missing:
                plans.append(replace(part, request=self._request_here(part.request)))
        return plans

    def _request_here(self, request: EvalRequest) -> EvalRequest:
        device = request.device if self.device is None else device_of_worker(self.device)
        threads = request.workers if self.threads is None else worker_count(self.threads or None)
        return replace(request, device=device, workers=threads, observer=Silent())  # whoever submits tasks shows them


def _unpacked(release: Release, *fields: Any) -> CellsTask:
    return CellsTask(*fields)


def run_task(task: CellsTask) -> TaskResult | Refused:
    """`task()`, as a function that can be pickled by its name."""
    return task()


def is_there(store: Store, plan: EvalPlan, cell: Cell) -> bool:
    """Whether the cell needs no measuring any more. Of a corruption that is the user's own only who measures can tell,
    because its code may have changed."""
    record = store.find(plan.run, cell)
    if record is None or not plan.counts(cell, record):
        return False
    return record.pixels is None or plan.request.suite.protocol == "official"


def _measured(plans: Sequence[EvalPlan]) -> TaskResult:
    """Measures the plans, whose cells are missing. Where one cannot be prepared, LstRobustError says so when the others
    are done: the network has been prepared where it was planned, so another worker may be able to."""
    result = TaskResult({}, {})
    ready, reasons = [], []
    if plans:
        _memory().begin(plans)
    for plan in plans:
        try:
            ready.append(replace(plan, prepared=_memory().prepared(plan)))
        except OWN as error:
            reasons.append(f"{plan.run.model.name} cannot be prepared on this worker: {reason_of(error)}")
    if ready:
        for plan, outcome in zip(ready, measure_together(ready, _memory().turns), strict=True):
            if outcome.failed:
                result.failed[plan.run.digest] = outcome.failed
            if outcome.stopped is not None:
                result.stopped[plan.run.digest] = outcome.stopped
    if reasons:
        raise LstRobustError(reasons[0])
    return result


class _Memory:
    """What a worker keeps for its next task: the images of the last suite, and the last networks."""

    def __init__(self) -> None:
        self.turns = Turns()
        self._images: dict[object, CellImages] = {}
        self._networks: KeptNetworks[Prepared] = KeptNetworks(NETWORK_BYTES)

    def begin(self, plans: Iterable[EvalPlan]) -> None:
        """plans: all of the next task."""
        self._networks.begin(map(_network_key, plans))

    def prepared(self, plan: EvalPlan) -> Prepared:
        request = plan.request
        protocol, geometry = plan.run.protocol, own_geometry(request)
        images_key = (protocol, geometry, request.data_dir, request.corrupted_dir, request.device, request.results_dir)
        if images_key not in self._images:
            self._images.clear()
            self._networks.clear()  # they hold the images that they were prepared with
            self._images[images_key] = open_cell_images(request, geometry)
        key = _network_key(plan)
        found = self._networks.get(key)
        if found is None:
            images, make_room = self._images[images_key], self.turns.make_room
            found = with_room(lambda: prepared_again(plan, request.results_dir, images, make_room), make_room)
            network = found.runner.network
            self.turns.add(found.runner)
            self._networks.add(key, found, sum(one.nbytes for one in (*network.parameters(), *network.buffers())))
        return found


def _network_key(plan: EvalPlan) -> Hashable:
    request = plan.request
    return plan.run.digest, request.device, request.workers, request.batch_size, request.amp, request.compile


_LOCAL = threading.local()  # the threads of one process share no network


def _memory() -> _Memory:
    if not hasattr(_LOCAL, "memory"):
        _LOCAL.memory = _Memory()
    return _LOCAL.memory
