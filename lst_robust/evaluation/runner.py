"""The evaluation of one model on one suite: which cells are wanted, which are there, measure the rest.

A cell is finished when its record is on disk. Whatever stops the run, the next one goes on from there.
"""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch import nn

from lst_robust import corruptions as engine
from lst_robust._version import __version__
from lst_robust.cores import available_cores
from lst_robust.corruptions.presets import CORRUPTIONS, SEVERITIES
from lst_robust.data import ImageSource, decoded_once, open_source
from lst_robust.devices import resolve_device
from lst_robust.errors import NonFiniteError, UsageError, unknown_name
from lst_robust.evaluation.inference import predict
from lst_robust.evaluation.records import CLEAN_CELL, Cell, Protocol, Provenance, Record, Run, make_record, utc_now
from lst_robust.evaluation.results import Summary, summarise
from lst_robust.evaluation.store import Store
from lst_robust.evaluation.subject import Options, Subject, from_checkpoint, from_module, trained_on_demand
from lst_robust.models.inference import optimize_for_inference
from lst_robust.preprocess import Preprocess, prefetch
from lst_robust.progress import Observer, Silent
from lst_robust.suites import Normaliser, Suite, load_suite


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


def evaluate(
    model: str | nn.Module,
    suite: str | Path | Suite = "digits-c",
    *,
    checkpoint: str | Path | None = None,
    model_options: Options | None = None,
    name: str | None = None,
    data_dir: str | Path | None = None,
    corruptions: Sequence[str] | None = None,
    severities: Sequence[int] | None = None,
    limit: int | None = None,
    seed: int | None = None,
    normaliser: Normaliser | str | None = "suite",
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

    Args:
        model: a name (see `model_names`) or a network: float32 (n, 3, H, W), normalised -> logits (n, classes).
        suite: name, YAML file or `Suite`. What is None below comes from it.
        checkpoint: weights of a named model; without it an earlier training on this suite is used, or one is made.
        model_options: options for `create_model` in place of the suite's `model_options`.
        name: what to call a network that is passed as a module.
        data_dir: folder of the images, for suites that need one.
        corruptions, severities: restrict the cells; all others are left alone.
        limit: a fixed stratified subset of so many test images.
        seed: decides the corruptions' noise, together with corruption, severity and image id.
        normaliser: a `Normaliser`, None for none, or "suite".
        batch_size, workers, device, amp: decide how fast the result comes, not what it is (amp: to rounding).
        train, train_seed: train a model that has no checkpoint for the suite; the recipe's seed, if another is wanted.
        skip_unreadable: leave out images that cannot be decoded, instead of refusing.
        results_dir: where records and trained checkpoints are kept and found again.
        overwrite: measure again what is already there.
        observer: receives progress; default: none.

    Raises:
        UsageError, DataError, CheckpointError, NothingToEvaluateError: one line each, see `lst_robust.errors`.
    """
    observer = observer or Silent()
    suite = suite if isinstance(suite, Suite) else load_suite(suite)
    cells = wanted_cells(suite, corruptions, severities)
    where = resolve_device(device)
    workers = _positive("workers", available_cores() if workers is None else workers)
    batch_size = _positive("batch size", suite.batch_size if batch_size is None else batch_size)
    store = Store(results_dir)
    store.check_writable()  # before any work is done
    source = open_source(
        suite.dataset,
        "test",
        image_size=suite.image_size,
        data_dir=data_dir,
        skip_unreadable=skip_unreadable,
        workers=workers,
    )
    skipped = source.skipped
    limit = suite.limit if limit is None else limit
    if limit is not None:
        source = source.subset(limit)
    if isinstance(model, nn.Module):
        subject = from_module(model, name, len(source.classes))
    elif checkpoint is not None:
        subject = from_checkpoint(model, checkpoint, suite, source, model_options)
    else:
        subject = trained_on_demand(
            model,
            suite,
            source,
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
    run = Run(_protocol(suite, source, suite.seed if seed is None else seed), subject.identity)
    there = {} if overwrite else store.load(run, observer.warn)
    records = {cell: there[cell] for cell in cells if cell in there}
    failed: dict[Cell, str] = {}
    if len(records) < len(cells):
        measurer = _Measurer(run, suite, subject, decoded_once(source, store.results_dir), where, batch_size, workers, amp, observer)
        observer.start(f"evaluating {run.model.name} on {suite.name}", len(cells), len(records))
        for cell in cells:
            if cell in records:
                continue
            try:
                records[cell] = measurer.measure(cell)
            except NonFiniteError as error:  # other cells may be fine
                failed[cell] = str(error)
                observer.warn(f"{cell.name}: {error}; the cell is left out")
                continue
            store.write(records[cell])
            observer.advance(0, _running_result(records))
        observer.finish()
    suite_normaliser = suite.normaliser if isinstance(normaliser, str) else normaliser
    measured = len(set(records) - set(there))
    return Evaluation(run, records, suite_normaliser, measured, failed, skipped)


def wanted_cells(
    suite: Suite, corruptions: Sequence[str] | None = None, severities: Sequence[int] | None = None
) -> list[Cell]:
    """The clean cell and every corruption at every severity, as the suite says or as restricted; UsageError for names
    and severities that do not exist."""
    names = suite.corruptions if corruptions is None else tuple(dict.fromkeys(corruptions))
    for name in names:
        if name not in CORRUPTIONS:
            raise unknown_name("corruption", name, CORRUPTIONS)
    levels = suite.severities if severities is None else tuple(sorted(set(severities)))
    for severity in levels:
        if severity not in SEVERITIES:
            raise UsageError(f"severity {severity} is outside 1..5: choose from 1, 2, 3, 4, 5")
    if not names or not levels:
        raise UsageError("no corruption or no severity is left to evaluate: name at least one of each")
    return [CLEAN_CELL, *(Cell(name, severity) for name in names for severity in levels)]


class _Measurer:
    """Builds the network once and measures one cell after the other."""

    def __init__(
        self,
        run: Run,
        suite: Suite,
        subject: Subject,
        source: ImageSource,
        device: torch.device,
        batch_size: int,
        workers: int,
        amp: bool,
        observer: Observer,
    ) -> None:
        self.run, self.suite, self.source, self.observer = run, suite, source, observer
        self.batch_size, self.workers, self.amp = batch_size, workers, amp
        model = subject.build().eval()
        if device.type == "cpu":
            model = optimize_for_inference(model)
        self.model = model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.preprocess = Preprocess(suite.pixels.mean, suite.pixels.std, device)

    def measure(self, cell: Cell) -> Record:
        """Corrupts, classifies and compares all images of a cell."""
        started = time.perf_counter()
        n = len(self.source)
        predicted = np.empty(n, dtype=np.int64)
        done = 0
        for images in prefetch(lambda batch: self._load(cell, batch), n, self.batch_size, self.workers):
            predicted[done : done + len(images)] = predict(self.model, self.preprocess, images, amp=self.amp)
            done += len(images)
            self.observer.advance(len(images) / n)
        seconds = time.perf_counter() - started
        return make_record(
            self.run, cell, predicted == self.source.labels, _provenance(self.preprocess.device, seconds, n)
        )

    def _load(self, cell: Cell, batch: Sequence[int]) -> np.ndarray:
        images = self.source.read(batch)
        if cell == CLEAN_CELL:
            return images
        return engine.corrupt(
            images,
            cell.corruption,
            cell.severity,
            preset=self.suite.preset,
            style=self.suite.style,
            seed=self.run.protocol.seed,
            ids=[self.source.ids[i] for i in batch],
        )


def _protocol(suite: Suite, source: ImageSource, seed: int) -> Protocol:
    return Protocol(
        suite=suite.name,
        suite_version=suite.version,
        suite_digest=suite.digest(),
        protocol=suite.protocol,
        data=source.name,
        images=source.fingerprint(),
        n=len(source),
        image_size=suite.image_size,
        preset=suite.preset,
        style=suite.style,
        engine=f"{engine.ENGINE} {engine.ENGINE_VERSION}",
        seed=seed,
    )


def _provenance(device: torch.device, seconds: float, n: int) -> Provenance:
    return Provenance(
        versions={
            "lst_robust": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        git_revision=_git_revision(),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({platform.machine()})",
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


def _running_result(records: dict[Cell, Record]) -> str:
    corrupted = [record.top1_error for cell, record in records.items() if cell != CLEAN_CELL]
    clean = f"clean error {records[CLEAN_CELL].top1_error:.2f} %" if CLEAN_CELL in records else ""
    return clean + (f", mean corruption error so far {fmean(corrupted):.2f} %" if corrupted else "")


def _positive(what: str, value: int) -> int:
    if value < 1:
        raise UsageError(f"{what} is {value}: it must be at least 1")
    return value
