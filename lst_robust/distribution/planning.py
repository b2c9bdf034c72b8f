"""Plans of networks that are measured elsewhere, with what a schedule must know of them; and tasks made of plans."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from lst_robust.analysis.evaluation import FailedNetwork
from lst_robust.benchmark import Cell
from lst_robust.distribution.costs import Costs, Size, size_of
from lst_robust.distribution.split import shares, split
from lst_robust.distribution.task import CellsTask
from lst_robust.errors import DataError, DeviceError, NothingToEvaluateError, UsageError, reason_of
from lst_robust.evaluation.cell_images import CellImages, open_cell_images
from lst_robust.evaluation.group import MOST_NETWORKS, NETWORK_BYTES
from lst_robust.evaluation.own_geometry import own_geometry
from lst_robust.evaluation.plan import EvalPlan, plan_of, prepare
from lst_robust.evaluation.request import EvalRequest
from lst_robust.geometry import Geometry
from lst_robust.records.store import Store
from lst_robust.runtime.process_group import Ranks
from lst_robust.workflow import with_weights

logger = logging.getLogger(__name__)

Given = EvalPlan | EvalRequest
UNKNOWN = Size(macs=1e9, bytes=0)  # of a plan that has travelled, whose network is not in memory
Opened = dict[Geometry | None, CellImages]


class Sized(Protocol):
    """A network with the bytes of its weights."""

    @property
    def size(self) -> Size: ...


N = TypeVar("N", bound=Sized)


@dataclass(frozen=True)
class Planned:
    """A plan without its network, and what that is like. geometry: of its images, None: the suite's; seconds: that the
    cells which are there took."""

    plan: EvalPlan
    size: Size
    geometry: Geometry | None
    seconds: dict[Cell, float]


class Workers(NamedTuple):
    """How many tasks run at a time, and on what: see `CellsTask`.

    most: how many tasks there may be. least: seconds that a task should take, because to begin one costs time.
    """

    at_once: int
    device: str | None = None
    threads: int | None = None
    most: int | None = None
    least: float = 1.0


def planned_networks(given: Sequence[Given]) -> tuple[list[Planned], list[FailedNetwork]]:
    """All plans, and the networks that could not be planned. A network that was given alone raises its error.

    One network is in memory at a time.
    """
    opened: Opened = {}
    found: dict[str, Planned] = {}
    failed: list[FailedNetwork] = []
    for one in given:
        try:
            planned = _planned(one, opened)
            known = found.setdefault(planned.plan.run.digest, planned)
            if known is not planned:
                raise UsageError(f"it is the same network as {known.plan.run.model.name}: name each network once")
        except (DataError, NothingToEvaluateError, DeviceError):  # of images and device, which all share
            raise
        except Exception as error:  # a network's own code: anything can happen in it
            if len(given) == 1:
                raise
            failed.append(FailedNetwork(request_of(one).label, reason_of(error)))
            logger.warning("%s; it is left out, and the others go on", failed[-1].line)
    return list(found.values()), failed


def request_of(given: Given) -> EvalRequest:
    return given.request if isinstance(given, EvalPlan) else given


def tasks_of(planned: Sequence[Planned], workers: Workers) -> list[tuple[CellsTask, float]]:
    """The missing cells of all plans, as tasks, each with what it is expected to cost."""
    together: defaultdict[Geometry | None, list[Planned]] = defaultdict(list)
    for one in planned:
        if one.plan.missing:
            together[one.geometry].append(one)
    costs = Costs((one.plan, one.size, one.seconds) for one in planned)
    groups = [group for sharing in together.values() for group in fitting(sharing)]
    work = [
        sum(costs.seconds(one.plan, cell, one.size) for one in group for cell in one.plan.missing) for group in groups
    ]
    return [
        task
        for group, most in zip(groups, shares(workers.most, work), strict=True)
        for task in _tasks_of_group(group, costs, workers, most)
    ]


def _tasks_of_group(
    networks: Sequence[Planned], costs: Costs, workers: Workers, most: int | None
) -> list[tuple[CellsTask, float]]:
    cells = list(dict.fromkeys(cell for one in networks for cell in one.plan.missing))
    missing = {one.plan.run.digest: set(one.plan.missing) for one in networks}

    def cost(one: Planned, cell: Cell) -> float:
        return costs.seconds(one.plan, cell, one.size) if cell in missing[one.plan.run.digest] else 0.0

    tasks, folder = [], Path.cwd()
    for bundle, part, seconds in split(networks, cells, cost, workers.at_once, most, workers.least):
        plans = [one.plan.part(part) for one in bundle]
        wanting = tuple(plan for plan in plans if plan.missing)
        if wanting:
            tasks.append((CellsTask(wanting, tuple(part), folder, workers.device, workers.threads), seconds))
    return tasks


def fitting(networks: Sequence[N]) -> list[list[N]]:
    """Networks whose weights are in a worker's memory at the same time."""
    groups: list[list[N]] = [[]]
    held = 0
    for one in networks:
        if groups[-1] and (held + one.size.bytes > NETWORK_BYTES or len(groups[-1]) >= MOST_NETWORKS):
            groups.append([])
            held = 0
        groups[-1].append(one)
        held += one.size.bytes
    return groups


def _planned(given: Given, opened: Opened) -> Planned:
    plan = given if isinstance(given, EvalPlan) else _plan(given, opened)
    if plan.prepared is None:
        size = UNKNOWN
    else:
        size = size_of(plan.prepared.runner.network, plan.prepared.images.clean.image_size)
    records = Store(plan.request.results_dir).load(plan.run, quiet=True)
    seconds = {cell: record.provenance.seconds for cell, record in records.items()}  # and not megabytes of predictions
    return Planned(replace(plan, prepared=None), size, own_geometry(plan.request), seconds)


def _plan(request: EvalRequest, opened: Opened) -> EvalPlan:
    weighted = with_weights(request)
    geometry = own_geometry(weighted)
    if geometry not in opened:
        opened[geometry] = open_cell_images(weighted, geometry)
    return plan_of(weighted, prepare(weighted, opened[geometry]), Ranks())
