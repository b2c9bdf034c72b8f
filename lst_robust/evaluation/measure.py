"""Measures the missing cells of a plan: images through the network, outcomes into records.

A cell is finished when its record is on disk. Whatever stops the work, the next call goes on from there.
"""

from __future__ import annotations

import logging
import platform
import subprocess
import time
from collections import deque
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch

from lst_robust._version import __version__
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import DataError, NonFiniteError, UsageError
from lst_robust.evaluation.identity.probe import same_answers
from lst_robust.evaluation.plan import EvalPlan, Prepared, prepare
from lst_robust.records.confidence import Outcomes
from lst_robust.records.record import Provenance, Record, Run, make_record, utc_now
from lst_robust.records.run_file import RunFile
from lst_robust.records.runs import without_probe
from lst_robust.records.store import Store, run_file_of
from lst_robust.runtime.process_group import Ranks, process_group
from lst_robust.runtime.progress import Observer, Silent

logger = logging.getLogger(__name__)


class Measured(NamedTuple):
    """`records`: of all cells that the plan wants and that are there; `measured`: how many this call has measured, on
    all ranks; `failed`: cells that could not be measured, with the reason."""

    records: dict[Cell, Record]
    measured: int
    failed: dict[Cell, str]


def measure(plan: EvalPlan, results_dir: str | Path | None = None) -> Measured:
    """Measures what the plan misses, and writes each record as soon as it is there.

    results_dir: default: the request's. It is safe to call this twice, and by several processes at the same time: they
    share the cells. Under torchrun all ranks call it, and each returns all records. When no cell is missing any more,
    the run is packed into one file.

    Raises UsageError when the network or the images are not those of the plan, DataError when the disk refuses.
    """
    store = Store(plan.request.results_dir if results_dir is None else results_dir)
    with process_group() as ranks:
        found = store.load(plan.run, quiet=plan.prepared is not None)
        measured, failed = 0, dict[Cell, str]()
        if plan.missing:
            store.check_writable()
            prepared = plan.prepared or _prepared_again(plan, store.results_dir)
            if ranks.leader:
                _require_run_file(store, plan.run_file)
            finished = {cell: found[cell] for cell in plan.cells if cell in found and cell not in plan.missing}
            worker = _Worker(plan, prepared, store, plan.request.observer if ranks.leader else Silent())
            measured, failed = worker.measure_share(ranks, finished)
            found = store.load(plan.run, quiet=True)  # those of all ranks
        if ranks.leader and not failed and all(cell in found for cell in plan.cells):
            try:
                store.pack(plan.run)
            except DataError as error:
                logger.warning("%s; the cells stay in files of their own", error)
    records = {cell: found[cell] for cell in plan.cells if cell in found and cell not in failed}
    return Measured(records, measured, failed)


def _prepared_again(plan: EvalPlan, results_dir: Path) -> Prepared:
    """The network and the images of a plan that was made elsewhere; UsageError where they are others here."""
    prepared = prepare(replace(plan.request, results_dir=results_dir))
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


class _Worker:
    """Measures one cell after the other with the network in memory."""

    def __init__(self, plan: EvalPlan, prepared: Prepared, store: Store, observer: Observer) -> None:
        self.plan, self.prepared, self.store, self.observer = plan, prepared, store, observer
        self.workers = plan.request.workers
        self._clean_is_sure = False  # that the clean images are those that were hashed

    def measure_share(self, ranks: Ranks, finished: Mapping[Cell, Record]) -> tuple[int, dict[Cell, str]]:
        """This rank's share of the missing cells. Returns, when all ranks are through, how many all of them measured,
        and the cells that failed, with the reason.

        finished: the wanted cells that were not missing, for the running result. A cell that another process is
        measuring comes last: mostly its record is there by then.
        """
        plan, run = self.plan, self.plan.run
        share = plan.missing[ranks.rank :: ranks.world]
        records, failed, measured = dict(finished), dict[Cell, str](), 0
        sharing = f" (its share of {ranks.world} processes)" if ranks.world > 1 else ""
        title = f"evaluating {run.model.name} on {run.protocol.suite}{sharing}"
        self.observer.start(title, len(share) + len(records), len(records))
        waiting = deque((cell, False) for cell in share)
        while waiting:
            cell, held_elsewhere = waiting.popleft()
            with self.store.claim(run, cell, wait=held_elsewhere) as claimed:
                if not claimed:
                    waiting.append((cell, True))
                    continue
                record = None if plan.request.overwrite else self._measured_by_another(cell)
                if record is not None:
                    self.observer.advance(1)
                else:
                    try:
                        record = self._measured(cell)
                    except NonFiniteError as error:  # other cells may be fine
                        failed[cell] = str(error)
                        logger.warning("%s: %s; the cell is left out", cell.name, error)
                        continue
                    self.store.write(record)
                    measured += 1
            records[cell] = record
            self.observer.advance(0, _running_result(records))
        self.observer.finish()
        everywhere = ranks.gather((measured, failed))
        return sum(n for n, _ in everywhere), {cell: why for _, part in everywhere for cell, why in part.items()}

    def _measured_by_another(self, cell: Cell) -> Record | None:
        """The record that another process has written since the plan was made."""
        record = self.store.find(self.plan.run, cell)
        same_pixels = record is not None and record.pixels == self.prepared.images.pixels_digest(cell, self.workers)
        return record if same_pixels else None

    def _measured(self, cell: Cell) -> Record:
        """Classifies all images of a cell, and compares with their labels.

        Raises DataError when the files have changed since they were hashed.
        """
        images, run = self.prepared.images, self.plan.run
        started = time.perf_counter()
        pixels = images.pixels_digest(cell, self.workers)
        labels = images.clean.labels
        parts: list[Outcomes] = []
        with closing(self.prepared.runner.outcomes(images.loader(cell), labels)) as outcomes:
            for part in outcomes:
                parts.append(part)
                self.observer.advance(len(part.correct) / len(labels))
        seconds = time.perf_counter() - started
        self._require_unchanged(run, cell, pixels)
        return make_record(run, cell, Outcomes.concatenated(parts), self._provenance(seconds, len(labels)), pixels)

    def _require_unchanged(self, run: Run, cell: Cell, pixels: str | None) -> None:
        """The clean images are looked at once, because they are decoded once; official files after each cell."""
        images = self.prepared.images
        unchanged = images.pixels_digest(cell, self.workers) == pixels
        if not self._clean_is_sure:
            unchanged &= images.clean.pixels_digest(self.workers) == run.protocol.pixels
            self._clean_is_sure = True
        if not unchanged:
            raise DataError(
                f"the images of {images.clean.place} changed while {cell.name} was measured: wait until nobody writes "
                "there, and run again"
            )

    def _provenance(self, seconds: float, n: int) -> Provenance:
        device = self.plan.request.device
        return Provenance(
            versions={
                "lst_robust": __version__,
                "torch": torch.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
            git_revision=_git_revision(),
            device=torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({platform.machine()})",
            transform=self.prepared.transform,
            seconds=round(seconds, 4),
            images_per_second=round(n / seconds, 1),
            finished=utc_now(),
        )


@cache
def _git_revision() -> str | None:
    """Revision of the checkout this package runs from, or None when it is installed elsewhere."""
    folder = Path(__file__).parent
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def _running_result(records: Mapping[Cell, Record]) -> str:
    corrupted = [record.top1_error for cell, record in records.items() if cell != CLEAN_CELL]
    clean = f"clean error {records[CLEAN_CELL].top1_error:.2f} %" if CLEAN_CELL in records else ""
    return clean + (f", mean corruption error so far {fmean(corrupted):.2f} %" if corrupted else "")
