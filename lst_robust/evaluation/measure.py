"""Measures the missing cells of plans: images through the networks, outcomes into records.

A cell is finished when its record is on disk. Whatever stops the work, the next call goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError, UsageError
from lst_robust.evaluation.cell_images import CellImages
from lst_robust.evaluation.identity.probe import same_answers
from lst_robust.evaluation.plan import EvalPlan, Prepared, prepare
from lst_robust.evaluation.turns import Turns
from lst_robust.evaluation.worker import MeasuredNetwork, Worker
from lst_robust.records.folder import run_file_of
from lst_robust.records.record import Record
from lst_robust.records.run_file import RunFile
from lst_robust.records.runs import without_probe
from lst_robust.records.store import Store
from lst_robust.runtime.process_group import Ranks, process_group
from lst_robust.runtime.progress import Silent

logger = logging.getLogger(__name__)


class Measured(NamedTuple):
    """`records`: of all cells that the plan wants and that are there; `measured`: how many this call has measured, on
    all ranks; `failed`: cells that could not be measured, with the reason; `stopped`: why the network took no further
    part, where several were asked for and it could not go on."""

    records: dict[Cell, Record]
    measured: int
    failed: dict[Cell, str]
    stopped: str | None = None


def measure(plan: EvalPlan, results_dir: str | Path | None = None) -> Measured:
    """Measures what the plan misses, and writes each record as soon as it is there.

    results_dir: default: the request's. It is safe to call this twice, and by several processes at the same time: they
    share the cells. Under torchrun all ranks call it, and each returns all records. When no cell is missing any more,
    the run is packed into one file.

    Raises UsageError when the network or the images are not those of the plan, DataError when the disk refuses.
    """
    [measured] = measure_together([plan], results_dir=results_dir, going_on=False)
    return measured


def measure_together(
    plans: Sequence[EvalPlan],
    turns: Turns | None = None,
    results_dir: str | Path | None = None,
    *,
    going_on: bool = True,
) -> list[Measured]:
    """`measure` for networks that see the same images: each image is loaded and corrupted once for all of them.

    plans: made with the same images; what each has in `prepared` must hold the very same `images`. turns: of the
    networks on their device. A network that cannot go on is left out and the others go on (see `Measured.stopped`).
    going_on: False for a network that was asked for alone, which raises its error instead.
    """
    store = Store(plans[0].request.results_dir if results_dir is None else results_dir)
    with process_group() as ranks:
        found = [store.load(plan.run, quiet=plan.prepared is not None) for plan in plans]
        if results_dir is not None:
            plans = [_replacing(plan, records) for plan, records in zip(plans, found, strict=True)]
        networks: list[MeasuredNetwork] = []
        if any(plan.missing for plan in plans):
            store.check_writable()
            for plan, records in zip(plans, found, strict=True):
                prepared = plan.prepared or prepared_again(plan, store.results_dir)
                if ranks.leader:
                    _require_run_file(store, plan.run_file)
                finished = {cell: records[cell] for cell in plan.cells if cell in records and cell not in plan.missing}
                networks.append(MeasuredNetwork(plan, prepared, finished))
            observer = plans[0].request.observer if ranks.leader else Silent()
            Worker(networks, turns or Turns(), store, observer, going_on=going_on).measure_share(ranks)
        everywhere = ranks.gather([(one.measured, one.failed, one.stopped) for one in networks])
        outcomes = []
        for place, plan in enumerate(plans):
            measured, failed, stopped = _of_all_ranks([ranks_own[place] for ranks_own in everywhere if ranks_own])
            records = store.load(plan.run, quiet=True) if networks else found[place]
            _pack(store, plan, records, failed, ranks)
            records = {cell: records[cell] for cell in plan.cells if cell in records and cell not in failed}
            outcomes.append(Measured(records, measured, failed, stopped))
    return outcomes


def _replacing(plan: EvalPlan, records: Mapping[Cell, Record]) -> EvalPlan:
    """The plan for another results folder than it was made with. records: that are there."""
    if not plan.request.overwrite:
        return plan
    return replace(plan, replaced={cell: records[cell].provenance for cell in plan.missing if cell in records})


def _of_all_ranks(parts: Sequence[tuple[int, dict[Cell, str], str | None]]) -> tuple[int, dict[Cell, str], str | None]:
    """How many cells of one network were measured, which failed, and why it stopped."""
    failed = {cell: reason for _, part, _ in parts for cell, reason in part.items()}
    stopped = next((reason for _, _, reason in parts if reason is not None), None)
    return sum(measured for measured, _, _ in parts), failed, stopped


def _pack(
    store: Store, plan: EvalPlan, records: Mapping[Cell, Record], failed: Mapping[Cell, str], ranks: Ranks
) -> None:
    if ranks.leader and not failed and all(cell in records for cell in plan.cells):
        try:
            store.pack(plan.run)
        except DataError as error:
            logger.warning("%s; the cells stay in files of their own", error)


def prepared_again(
    plan: EvalPlan,
    results_dir: Path,
    opened: CellImages | None = None,
    make_room: Callable[[], bool] = lambda: False,
) -> Prepared:
    """The network and the images of a plan that was made elsewhere; UsageError where they are others here. opened,
    make_room: see `prepare`."""
    prepared = prepare(replace(plan.request, results_dir=results_dir), opened, make_room)
    planned = plan.run_file.probe_answers()
    if prepared.run != without_probe(plan.run) or planned is None or not same_answers(planned, prepared.answers):
        raise UsageError(
            f"{plan.run.model.name} or its images are not those of the plan: give the files that it was made with"
        )
    return prepared


def _require_run_file(store: Store, run_file: RunFile) -> None:
    """Writes the run's file where the results folder is another than the one that was planned with."""
    with suppress(DataError):
        if run_file_of(store.run_folder(run_file.run)) is not None:
            return
    store.write_run_file(run_file)
