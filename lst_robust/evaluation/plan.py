"""The plan of an evaluation: which cells of which run are wanted, and which of them are missing.

A plan can be pickled and measured elsewhere: by another process, or on another machine that has the same files.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError, LstRobustError, UsageError, reason_of
from lst_robust.evaluation.cell_images import CellImages, open_cell_images
from lst_robust.evaluation.identity.probe import probe_images, same_answers
from lst_robust.evaluation.inference import InferenceRunner, InferenceSettings
from lst_robust.evaluation.model_under_test import model_under_test
from lst_robust.evaluation.own_geometry import note_other_geometry, own_geometry
from lst_robust.evaluation.ready import ready_network
from lst_robust.evaluation.request import EvalRequest
from lst_robust.records.record import Protocol, Provenance, Record, Run
from lst_robust.records.run_file import RunFile
from lst_robust.records.runs import settle_run
from lst_robust.records.store import Store
from lst_robust.runtime.devices import device_errors, indexed
from lst_robust.runtime.process_group import Ranks, process_group
from lst_robust.runtime.progress import Silent

logger = logging.getLogger(__name__)


class Prepared(NamedTuple):
    """What is in memory to measure with: the images, the network, and which run (without its probe) that makes.

    answers: the network's to the probe images, float32 (4, classes); transform: from an image file to the network's
    input, in words.
    """

    images: CellImages
    runner: InferenceRunner
    run: Run
    answers: np.ndarray
    transform: str


@dataclass(frozen=True)
class EvalPlan:
    """The cells to measure, and of which run they are.

    request: with weights; cells: all that are wanted; missing: those that were not found in the results folder, and
    with `overwrite` all of them; skipped_images: ids of those that were left out because they cannot be read.
    replaced: of missing cells that have a record all the same, how it came about: that record does not count.
    `prepared` and the request's observer are left behind when the plan is pickled; `measure` then prepares anew.
    """

    request: EvalRequest
    run_file: RunFile
    cells: tuple[Cell, ...]
    missing: tuple[Cell, ...]
    skipped_images: tuple[str, ...] = ()
    prepared: Prepared | None = field(default=None, repr=False, compare=False)
    replaced: Mapping[Cell, Provenance] = field(default_factory=dict, repr=False, compare=False)

    @property
    def run(self) -> Run:
        return self.run_file.run

    def part(self, cells: Collection[Cell]) -> EvalPlan:
        """The plan of some of the missing cells only."""
        wanted = set(cells)
        replaced = {cell: how for cell, how in self.replaced.items() if cell in wanted}
        return replace(self, missing=tuple(cell for cell in self.missing if cell in wanted), replaced=replaced)

    def counts(self, cell: Cell, record: Record) -> bool:
        """Whether a record of a cell is another one than that which shall be replaced."""
        return record.provenance != self.replaced.get(cell)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"prepared": None, "request": replace(self.request, observer=Silent())}


def plan(request: EvalRequest) -> EvalPlan:
    """What has to be measured of a request, whose model must have its weights (see `lst_robust.workflow`).

    The network has then been built and its answers to the probe images tell of which run the cells are; the run's file
    lies in the results folder. Under torchrun all ranks call this, and get the same plan.

    Raises UsageError when a rank has other images or another network than rank 0, DataError for data that is missing.
    """
    Store(request.results_dir).check_writable()  # before any work is done
    with process_group() as ranks:
        return plan_of(request, prepare(request), ranks)


def plan_of(request: EvalRequest, prepared: Prepared, ranks: Ranks) -> EvalPlan:
    """`plan`, with the network and the images in memory."""
    store = Store(request.results_dir)
    run_file = _agreed_run(prepared, store, ranks)
    found = store.load(run_file.run)
    cells = request.cells()
    if request.suite.protocol == "official":
        finished = found
        _require_same_files(found, prepared.images, set(cells) if request.overwrite else set(), request.workers)
    else:
        finished = _of_todays_code(found, cells, prepared.images)
    # Rank 0's list, and everybody has it before anybody writes.
    missing = ranks.gather([cell for cell in cells if request.overwrite or cell not in finished])[0]
    replaced = ranks.gather({cell: found[cell].provenance for cell in missing if cell in found})[0]
    return EvalPlan(request, run_file, tuple(cells), tuple(missing), prepared.images.clean.skipped, prepared, replaced)


def prepare(
    request: EvalRequest, opened: CellImages | None = None, make_room: Callable[[], bool] = lambda: False
) -> Prepared:
    """Opens the images, builds the network, and asks it the probe images.

    opened: the images, where they are open already; make_room: see `InferenceRunner`.
    """
    suite = request.suite
    images = open_cell_images(request, own_geometry(request)) if opened is None else opened
    note_other_geometry(request, images.clean.geometry)
    found = model_under_test(request, images.clean)
    device = indexed(request.device)  # threads work for it, too
    settings = InferenceSettings(
        device, request.batch_size, request.workers, request.amp, request.engine, request.compile
    )
    pixels = found.pixels or suite.pixels
    size = images.clean.image_size
    network = ready_network(found, device, pixels, size)
    runner = InferenceRunner(network, pixels, len(images.clean.classes), settings, size)
    runner.make_room = make_room  # before the probe: its images may be too many for what the others leave
    run = Run(_protocol(request, images), found.identity)
    answers = probe_answers(runner, found.identity.name, size)
    return Prepared(images, runner, run, answers, f"{images.transform}, {pixels.described()}")


def probe_answers(runner: InferenceRunner, name: str, image_size: int) -> np.ndarray:
    """float32 (4, classes): the logits of the probe images, always in full precision.

    Raises UsageError when the network, called `name` in the message, cannot take them. A warning says when it gives
    other answers the second time.
    """
    images = probe_images(image_size)
    try:
        with device_errors(runner.settings.device):
            answers, again = runner.logits(images), runner.logits(images)
    except (LstRobustError, MemoryError):
        raise
    except Exception as error:  # the network's own code: anything can happen in it
        raise UsageError(
            f"{name} cannot classify {len(images)} float32 images of {image_size} pixels "
            f"({reason_of(error)}): correct its code, or give it weights of float32"
        ) from error
    if not same_answers(answers, again):
        logger.warning(
            "%s gives other answers each time it sees the same images (is dropout on?): its numbers cannot be "
            "repeated, and an interrupted evaluation starts anew",
            name,
        )
    return answers


def _agreed_run(prepared: Prepared, store: Store, ranks: Ranks) -> RunFile:
    """The run that today's measurement belongs to: rank 0 decides, and all ranks hold it."""
    first_run, first_answers = ranks.gather((prepared.run, prepared.answers))[0]
    if prepared.run != first_run or not same_answers(first_answers, prepared.answers):
        raise UsageError(
            f"rank {ranks.rank} evaluates another network or other images than rank 0: give all ranks the same files"
        )
    settled = settle_run(store, prepared.run, prepared.answers, same_answers) if ranks.leader else None
    return ranks.gather(settled)[0]


def _of_todays_code(records: Mapping[Cell, Record], wanted: Collection[Cell], images: CellImages) -> dict[Cell, Record]:
    """The wanted records without those of own corruptions whose code has changed since: they are measured anew.

    records: all of the run. A warning names cells of these corruptions that are not wanted: they stay as they were.
    """
    corruptions = {cell.corruption for cell in wanted}
    of_wanted = {cell: record for cell, record in records.items() if cell.corruption in corruptions}
    changed = [cell for cell, record in of_wanted.items() if record.pixels != images.pixels_digest(cell, 1)]
    if again := sorted({cell.corruption for cell in changed if cell in wanted}):
        logger.info("the code of %s has changed since it was measured: it is measured anew", ", ".join(again))
    if left := sorted(cell.name for cell in changed if cell not in wanted):
        logger.warning(
            "%d cells, such as %s, were measured with other code of their corruption, and stay as they are: measure "
            "all severities again",
            len(left),
            left[0],
        )
    return {cell: record for cell, record in of_wanted.items() if cell in wanted and cell not in changed}


def _require_same_files(
    records: Mapping[Cell, Record], images: CellImages, replaced: Collection[Cell], workers: int
) -> None:
    """DataError when official files have changed since their cells were measured: a run would mix two sets.

    records: all of the run; replaced: the cells that are measured again anyway. A warning tells of cells whose files
    are not there, which nobody can check.
    """
    changed, absent = [], []
    for cell, record in records.items():
        if cell not in replaced and record.pixels is not None:
            now = images.pixels_digest(cell, workers)
            if now is None:
                absent.append(cell.name)
            elif now != record.pixels:
                changed.append(cell.name)
    if changed:
        raise DataError(
            f"the files of {len(changed)} measured cells hold other pixels than when they were measured, such as "
            f"{changed[0]}: give the files from then, another --results-dir, or measure all cells with --overwrite"
        )
    if absent:
        logger.warning(
            "%d measured cells, such as %s, are not in the set that is given now: make sure that they come from the "
            "same set, or give another --results-dir",
            len(absent),
            absent[0],
        )


def _protocol(request: EvalRequest, images: CellImages) -> Protocol:
    suite = request.suite
    return Protocol(
        suite=suite.name,
        suite_version=suite.version,
        suite_digest=suite.digest(),
        protocol=suite.protocol,
        data=images.clean.name,
        images=images.clean.fingerprint(suite.image_size),  # which does not change with the network
        n=len(images.clean),
        image_size=suite.image_size,
        preset=suite.preset,
        style=suite.style,
        engine=images.engine,
        seed=images.seed,
        preprocess=request.preprocess,
        geometry=images.clean.geometry if request.preprocess == "suite" else None,
        pixels=images.clean.pixels_digest(request.workers),
        subset=request.subset or suite.subset,
    )
