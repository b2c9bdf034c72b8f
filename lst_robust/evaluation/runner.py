"""The evaluation of one model on one suite: which cells are wanted, which are there, measure the rest.

A cell is finished when its record is on disk. Whatever stops the run, the next one goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import nn

from lst_robust.analysis.evaluation import Evaluation
from lst_robust.analysis.normalisers import Choice
from lst_robust.arguments import optional
from lst_robust.benchmark import CLEAN_CELL, Cell, checked_corruptions, checked_severities
from lst_robust.data import ImageSource
from lst_robust.errors import DataError, UsageError
from lst_robust.evaluation.cell_images import CellImages, open_cell_images
from lst_robust.evaluation.identity.probe import same_answers
from lst_robust.evaluation.measurer import Measurer
from lst_robust.evaluation.model_under_test import (
    ModelUnderTest,
    Options,
    from_checkpoint,
    from_library,
    from_module,
    trained_on_demand,
    unwrapped,
    with_statistics,
)
from lst_robust.evaluation.own_geometry import note_other_geometry, require_stated_geometry
from lst_robust.evaluation.request import EvalRequest, checked_request
from lst_robust.models.external import stated_statistics
from lst_robust.records.record import Protocol, Record, Run
from lst_robust.records.runs import settle_run
from lst_robust.records.store import Store
from lst_robust.runtime.process_group import Ranks, process_group
from lst_robust.runtime.progress import Observer, Silent
from lst_robust.suites import PixelStatistics, Preprocessing, Suite


def evaluate(
    model: str | nn.Module,
    suite: str | Path | Suite = "digits-c",
    *,
    checkpoint: str | Path | None = None,
    model_options: Options | None = None,
    name: str | None = None,
    data_dir: str | Path | None = None,
    corrupted_dir: str | Path | None = None,
    corruptions: Sequence[str] | None = None,
    severities: Sequence[int] | None = None,
    preprocess: Preprocessing | None = None,
    limit: int | None = None,
    seed: int | None = None,
    normaliser: Choice = "suite",
    batch_size: int | None = None,
    workers: int | None = None,
    device: str = "auto",
    amp: bool = False,
    train: bool = True,
    train_seed: int | None = None,
    skip_unreadable: bool = False,
    results_dir: str | Path = "results",
    overwrite: bool = False,
    observer: Observer | None = None,
) -> Evaluation:
    """Measures a model on the clean images and on every wanted cell of a suite, and returns the records.

    Under `torchrun` the ranks share the cells through the results folder, and each returns all records. So do processes
    that evaluate the same on their own at the same time. On a CPU torch's thread count of the process may be 1 while it
    runs.

    Args:
        model: a name (see `model_names`) or a network: float32 (n, 3, H, W), normalised -> logits (n, classes).
        suite: name, YAML file or `Suite`. What is None below comes from it.
        checkpoint: weights of a named model; without it an earlier training on this suite is used, or one is made.
        model_options: options for `create_model` in place of the suite's `model_options`.
        name: what to call a network that is passed as a module.
        data_dir: folder of the images, for suites that need one.
        corrupted_dir: folder of a suite's official corrupted images; default: `data_dir`, or a folder in it that has
            their usual name, such as ImageNet-C.
        corruptions, severities: restrict the cells; all others are left alone.
        preprocess: "suite" gives all networks the same pixels; "model" gives the network of torchvision or timm the
            resize, interpolation, crop and size that its library states, before the corruption.
        limit: a fixed stratified subset of so many test images.
        seed: decides the corruptions' noise, together with corruption, severity and image id.
        normaliser: a `Normaliser`, "suite", None or "none" for none, "alexnet-imagenet-c", or a YAML file.
        batch_size, workers, device, amp: decide how fast the result comes, not what it is (amp: to rounding).
        train, train_seed: train a model that has no checkpoint for the suite; the recipe's seed, if another is wanted.
        skip_unreadable: leave out images that cannot be decoded, instead of refusing.
        results_dir: where records and trained checkpoints are kept and found again.
        overwrite: measure again what is already there.
        observer: receives progress; default: none.

    Raises:
        UsageError (before any work), DataError, CheckpointError, NothingToEvaluateError: one line each, see
            `lst_robust.errors`.
    """
    # This must be the first statement: the local variables are then the arguments, by their names.
    return _evaluation(checked_request(locals()))


def _evaluation(request: EvalRequest) -> Evaluation:
    store = Store(request.results_dir)
    store.check_writable()  # before any work is done
    cells = wanted_cells(request.suite, request.corruptions, request.severities)
    images = _open_images(request, cells)
    with process_group() as ranks:
        observer = request.observer if ranks.leader else Silent()
        measurer, run = _prepared(request, images, store, ranks, observer)
        finished = store.load(run, observer.warn)
        replaced = set(cells) if request.overwrite else set()
        _require_same_files(finished, images, replaced, request.workers, observer.warn)
        finished = {} if request.overwrite else {cell: finished[cell] for cell in cells if cell in finished}
        # Rank 0's list, and everybody has it before anybody writes.
        missing = ranks.gather([cell for cell in cells if cell not in finished])[0]
        measured, failed = 0, dict[Cell, str]()
        if missing:
            measured, failed = measurer.measure_all(run, missing, finished, store, ranks, request.overwrite)
    found = store.load(run, Silent().warn) if missing else finished  # those of all ranks
    records = {cell: found[cell] for cell in cells if cell in found and cell not in failed}
    return Evaluation(run, records, request.normaliser, measured, failed, images.clean.skipped)


def _open_images(request: EvalRequest, cells: list[Cell]) -> CellImages:
    """The images of the wanted cells, in the suite's geometry or in the network's own."""
    own = None
    if request.preprocess == "model":
        own = require_stated_geometry(request.model, request.suite, request.checkpoint, request.model_options)
    return open_cell_images(
        request.suite,
        cells,
        folder=request.results_dir,
        own_geometry=own,
        data_dir=request.data_dir,
        corrupted_dir=request.corrupted_dir,
        limit=request.limit,
        seed=request.seed,
        skip_unreadable=request.skip_unreadable,
        workers=request.workers,
    )


def _prepared(
    request: EvalRequest, images: CellImages, store: Store, ranks: Ranks, observer: Observer
) -> tuple[Measurer, Run]:
    """The network, ready to measure, and the run that its cells belong to."""
    suite, own = request.suite, request.preprocess == "model"
    subject = _subject(request, images.clean, observer)
    if not own:
        note_other_geometry(
            request.model, suite, images.clean.geometry, request.checkpoint, request.model_options, observer.note
        )
    elif isinstance(request.model, nn.Module) and (stated := stated_statistics(unwrapped(request.model))):
        pixels = PixelStatistics.model_validate(dict(zip(("mean", "std"), stated, strict=True)))
        subject = subject if pixels == suite.pixels else with_statistics(subject, pixels)
    measurer = Measurer(
        subject.model,
        subject.pixels or suite.pixels,
        images,
        device=request.device,
        batch_size=request.batch_size,
        workers=request.workers,
        amp=request.amp,
        observer=observer,
    )
    identity = subject.identity.model_copy(update={"geometry": images.clean.geometry if own else None})
    protocol = _protocol(suite, images, request.preprocess, request.workers)
    return measurer, _agreed_run(Run(protocol, identity), measurer, store, ranks, observer)


def _subject(request: EvalRequest, clean: ImageSource, observer: Observer) -> ModelUnderTest:
    """The network: as it was given, with given weights, with its library's, or trained on the suite."""
    model, suite, given = request.model, request.suite, request.model_options
    if isinstance(model, nn.Module):
        return from_module(model, request.name, len(clean.classes))
    if request.checkpoint is not None:
        return from_checkpoint(model, request.checkpoint, suite, clean, given)
    options = suite.model_options if given is None else given
    if options.get("weights"):
        return from_library(model, suite, clean, options)
    return trained_on_demand(
        model,
        suite,
        clean,
        given,
        data_dir=request.data_dir,
        results_dir=request.results_dir,
        train=request.train,
        train_seed=request.train_seed,
        skip_unreadable=request.skip_unreadable,
        device=request.device,
        workers=request.workers,
        observer=observer,
    )


def wanted_cells(
    suite: Suite, corruptions: Sequence[str] | None = None, severities: Sequence[int] | None = None
) -> list[Cell]:
    """The clean cell and every corruption at every severity, as the suite says or as restricted; UsageError for names
    and severities that do not exist."""
    names = optional(checked_corruptions, "corruptions", corruptions) or suite.corruptions
    levels = optional(checked_severities, "severities", severities) or suite.severities
    return [CLEAN_CELL, *(Cell(name, severity) for name in names for severity in levels)]


def _agreed_run(run: Run, measurer: Measurer, store: Store, ranks: Ranks, observer: Observer) -> Run:
    """The run that today's measurement belongs to, with the probe: rank 0 decides, and all ranks hold it.

    Raises UsageError when a rank has other images or another network than rank 0.
    """
    answers = measurer.probe_answers(run.model.name)
    if not same_answers(answers, measurer.probe_answers(run.model.name)):
        observer.warn(
            f"{run.model.name} gives other answers each time it sees the same images (is dropout on?): its numbers "
            "cannot be repeated, and an interrupted evaluation starts anew"
        )
    first_run, first_answers = ranks.gather((run, answers))[0]
    if run != first_run or not same_answers(first_answers, answers):
        raise UsageError(
            f"rank {ranks.rank} evaluates another network or other images than rank 0: give all ranks the same files"
        )
    settled = settle_run(store, run, answers, observer.note, observer.warn) if ranks.leader else None
    return ranks.gather(settled)[0]


def _require_same_files(
    records: Mapping[Cell, Record],
    images: CellImages,
    replaced: set[Cell],
    workers: int,
    warn: Callable[[str], None],
) -> None:
    """DataError when official files have changed since their cells were measured: a run would mix two sets.

    records: all of the run; replaced: the cells that are measured again anyway; warn: receives a line about cells whose
    files are not there, which nobody can check.
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
        warn(
            f"{len(absent)} measured cells, such as {absent[0]}, are not in the set that is given now: make sure that "
            "they come from the same set, or give another --results-dir"
        )


def _protocol(suite: Suite, images: CellImages, preprocess: Preprocessing, workers: int) -> Protocol:
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
        preprocess=preprocess,
        geometry=images.clean.geometry if preprocess == "suite" else None,
        pixels=images.clean.pixels_digest(workers),
    )
