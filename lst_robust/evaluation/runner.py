"""The evaluation of one model on one suite: which cells are wanted, which are there, measure the rest.

A cell is finished when its record is on disk. Whatever stops the run, the next one goes on from there.
"""

from __future__ import annotations

import platform
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch import nn

from lst_robust._version import __version__
from lst_robust.arguments import optional
from lst_robust.cores import worker_count
from lst_robust.corruptions.presets import checked_corruptions, checked_severities
from lst_robust.devices import resolve_device
from lst_robust.distributed import Ranks, joined
from lst_robust.errors import DataError, NonFiniteError, UsageError
from lst_robust.evaluation.confidence import Outcomes
from lst_robust.evaluation.images import CellImages, open_cell_images
from lst_robust.evaluation.inference import Classifier, Predictor
from lst_robust.evaluation.normalisers import Choice, resolve_normaliser
from lst_robust.evaluation.preprocessing import note_other_geometry, require_stated_geometry
from lst_robust.evaluation.probe import probe_images, same_answers
from lst_robust.evaluation.records import CLEAN_CELL, Cell, Protocol, Provenance, Record, Run, make_record, utc_now
from lst_robust.evaluation.request import with_checked_request
from lst_robust.evaluation.results import Summary, summarise
from lst_robust.evaluation.runs import settle_run
from lst_robust.evaluation.store import Store
from lst_robust.evaluation.subject import Options, from_checkpoint, from_library, from_module, trained_on_demand
from lst_robust.models.inference import optimize_for_inference
from lst_robust.preprocess import Preprocess
from lst_robust.progress import Observer, Silent
from lst_robust.suites import Normaliser, PixelStatistics, Preprocessing, Suite, resolve_suite


@dataclass(frozen=True)
class Evaluation:
    """The outcome of `evaluate`: the run, its records, and what went wrong.

    `failed`: cells that could not be measured, with the reason; `measured`: how many were measured by this call.
    """

    run: Run
    records: dict[Cell, Record]
    normaliser: Normaliser | None
    measured: int = 0
    failed: dict[Cell, str] = field(default_factory=dict)
    skipped_images: tuple[str, ...] = ()

    def summary(self) -> Summary:
        """All numbers, in percent, see `lst_robust.evaluation.results.summarise`."""
        return summarise(self.run, self.records, self.normaliser)


@with_checked_request
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
    suite = resolve_suite(suite)
    cells = wanted_cells(suite, corruptions, severities)
    where = resolve_device(device)
    workers = worker_count(workers)
    batch_size = suite.batch_size if batch_size is None else batch_size
    store = Store(results_dir)
    store.check_writable()  # before any work is done
    preprocess = suite.preprocess if preprocess is None else preprocess
    stated = None if preprocess == "suite" else require_stated_geometry(model, suite, checkpoint, model_options)
    images = open_cell_images(
        suite,
        cells,
        folder=store.results_dir,
        own_geometry=stated,
        data_dir=data_dir,
        corrupted_dir=corrupted_dir,
        limit=limit,
        seed=seed,
        skip_unreadable=skip_unreadable,
        workers=workers,
    )
    skipped = images.clean.skipped
    with joined() as ranks:
        observer = observer if observer is not None and ranks.leader else Silent()
        if isinstance(model, nn.Module):
            subject = from_module(model, name, len(images.clean.classes))
        elif checkpoint is not None:
            subject = from_checkpoint(model, checkpoint, suite, images.clean, model_options)
        elif (options := suite.model_options if model_options is None else model_options).get("weights"):
            subject = from_library(model, suite, images.clean, options)
        else:
            subject = trained_on_demand(
                model,
                suite,
                images.clean,
                model_options,
                data_dir=data_dir,
                results_dir=results_dir,
                train=train,
                train_seed=train_seed,
                skip_unreadable=skip_unreadable,
                device=where,
                workers=workers,
                observer=observer,
            )
        if preprocess == "suite":
            note_other_geometry(model, suite, images.clean.geometry, checkpoint, model_options, observer.note)
        identity = subject.identity.model_copy(update={"geometry": stated and images.clean.geometry})
        pixels = subject.pixels or suite.pixels
        measurer = _Measurer(subject.model, pixels, images, where, batch_size, workers, amp, observer)
        del subject  # the measurer has a faster copy of the network, and one is enough
        unsettled = Run(_protocol(suite, images, preprocess, workers), identity)
        run = _agreed_run(unsettled, measurer, store, ranks, observer)
        finished = store.load(run, observer.warn)
        _require_same_files(finished, images, set(cells) if overwrite else set(), workers)
        finished = {} if overwrite else {cell: finished[cell] for cell in cells if cell in finished}
        # Rank 0's list, and everybody has it before anybody writes.
        missing = ranks.gather([cell for cell in cells if cell not in finished])[0]
        measured, failed = 0, dict[Cell, str]()
        if missing:
            measured, failed = measurer.measure_all(run, missing, finished, store, ranks, overwrite)
    found = store.load(run, Silent().warn) if missing else finished  # those of all ranks
    records = {cell: found[cell] for cell in cells if cell in found and cell not in failed}
    return Evaluation(run, records, resolve_normaliser(normaliser, suite), measured, failed, skipped)


def wanted_cells(
    suite: Suite, corruptions: Sequence[str] | None = None, severities: Sequence[int] | None = None
) -> list[Cell]:
    """The clean cell and every corruption at every severity, as the suite says or as restricted; UsageError for names
    and severities that do not exist."""
    names = optional(checked_corruptions, "corruptions", corruptions) or suite.corruptions
    levels = optional(checked_severities, "severities", severities) or suite.severities
    return [CLEAN_CELL, *(Cell(name, severity) for name in names for severity in levels)]


def _agreed_run(run: Run, measurer: _Measurer, store: Store, ranks: Ranks, observer: Observer) -> Run:
    """The run that today's measurement belongs to, with the probe: rank 0 decides, and all ranks hold it.

    Raises UsageError when a rank has other images or another network than rank 0.
    """
    answers = measurer.probe_answers()
    if not same_answers(answers, measurer.probe_answers()):
        observer.warn(
            f"{run.model.name} gives other answers each time it sees the same images (is dropout on?): its numbers "
            "cannot be repeated, and an interrupted evaluation starts anew"
        )
    everywhere = ranks.gather(run)
    if run != everywhere[0]:
        raise UsageError(
            f"rank {ranks.rank} evaluates another network or other images than rank 0: give all ranks the same files"
        )
    settled = settle_run(store, run, answers, observer.note, observer.warn) if ranks.leader else None
    return ranks.gather(settled)[0]


def _require_same_files(records: Mapping[Cell, Record], images: CellImages, replaced: set[Cell], workers: int) -> None:
    """DataError when official files have changed since their cells were measured: a run would mix two sets.

    records: all of the run; replaced: the cells that are measured again anyway.
    """
    changed = []
    for cell, record in records.items():
        if cell not in replaced and record.pixels is not None:
            now = images.pixels_digest(cell, workers)
            if now is not None and now != record.pixels:
                changed.append(cell.name)
    if changed:
        raise DataError(
            f"the files of {len(changed)} measured cells hold other pixels than when they were measured, such as "
            f"{changed[0]}: give the files from then, another --results-dir, or measure all cells with --overwrite"
        )


class _Measurer:
    """Holds the network and measures one cell after the other."""

    def __init__(
        self,
        model: nn.Module,
        pixels: PixelStatistics,
        images: CellImages,
        device: torch.device,
        batch_size: int,
        workers: int,
        amp: bool,
        observer: Observer,
    ) -> None:
        self.images, self.observer, self.workers = images, observer, workers
        model = optimize_for_inference(model) if device.type == "cpu" else model.eval()
        model = model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        preprocess = Preprocess(pixels.mean, pixels.std, device)
        self.predict = Predictor(model, preprocess, len(images.clean.classes), amp=amp, warn=observer.warn)
        self.classify = Classifier(self.predict, images.clean.image_size, batch_size, workers)
        self.device, self.transform = device, f"{images.transform}, {pixels.described()}"

    def probe_answers(self) -> np.ndarray:
        """float32 (4, classes): the logits of the probe images, always in full precision."""
        return self.predict.logits(probe_images(self.images.clean.image_size))

    def measure_all(
        self,
        run: Run,
        cells: list[Cell],
        finished: Mapping[Cell, Record],
        store: Store,
        ranks: Ranks,
        overwrite: bool,
    ) -> tuple[int, dict[Cell, str]]:
        """Measures this rank's share of `cells` and writes each as soon as it is there. Returns, when all ranks are
        through, how many all of them measured, and the cells that failed, with the reason.

        A cell that another process is measuring comes last: mostly its record is there by then.
        """
        mine = cells[ranks.rank :: ranks.world]
        records, failed, measured = dict(finished), dict[Cell, str](), 0
        share = f" (its share of {ranks.world} processes)" if ranks.world > 1 else ""
        name = f"evaluating {run.model.name} on {run.protocol.suite}{share}"
        self.observer.start(name, len(mine) + len(finished), len(finished))
        waiting = deque((cell, False) for cell in mine)
        while waiting:
            cell, held_elsewhere = waiting.popleft()
            with store.claim(run, cell, wait=held_elsewhere) as claimed:
                if not claimed:
                    waiting.append((cell, True))
                    continue
                record = None if overwrite else store.find(run, cell)
                if record is not None:
                    self.observer.advance(1)
                else:
                    try:
                        record = self.measure(run, cell)
                    except NonFiniteError as error:  # other cells may be fine
                        failed[cell] = str(error)
                        self.observer.warn(f"{cell.name}: {error}; the cell is left out")
                        continue
                    store.write(record)
                    measured += 1
            records[cell] = record
            self.observer.advance(0, _running_result(records))
        self.observer.finish()
        everywhere = ranks.gather((measured, failed))
        return sum(n for n, _ in everywhere), {cell: why for _, part in everywhere for cell, why in part.items()}

    def measure(self, run: Run, cell: Cell) -> Record:
        """Classifies all images of a cell, and compares with their labels."""
        started = time.perf_counter()
        pixels = self.images.pixels_digest(cell, self.workers)
        labels = self.images.clean.labels
        parts: list[Outcomes] = []
        with closing(self.classify(self.images.loader(cell), labels)) as outcomes:
            for part in outcomes:
                parts.append(part)
                self.observer.advance(len(part.correct) / len(labels))
        seconds = time.perf_counter() - started
        return make_record(run, cell, Outcomes.joined(parts), self._provenance(seconds, len(labels)), pixels)

    def _provenance(self, seconds: float, n: int) -> Provenance:
        device = self.device
        return Provenance(
            versions={
                "lst_robust": __version__,
                "torch": torch.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
            git_revision=_git_revision(),
            device=torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({platform.machine()})",
            transform=self.transform,
            seconds=round(seconds, 4),
            images_per_second=round(n / seconds, 1),
            finished=utc_now(),
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


def _running_result(records: dict[Cell, Record]) -> str:
    corrupted = [record.top1_error for cell, record in records.items() if cell != CLEAN_CELL]
    clean = f"clean error {records[CLEAN_CELL].top1_error:.2f} %" if CLEAN_CELL in records else ""
    return clean + (f", mean corruption error so far {fmean(corrupted):.2f} %" if corrupted else "")
