"""Measures the cells of a run: images through the network, outcomes into records."""

from __future__ import annotations

import copy
import platform
import subprocess
import time
from collections import deque
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch import nn

from lst_robust._version import __version__
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import DataError, LstRobustError, NonFiniteError, UsageError
from lst_robust.evaluation.cell_images import CellImages
from lst_robust.evaluation.identity.probe import full_precision, probe_images
from lst_robust.evaluation.inference import Classifier, Predictor
from lst_robust.models.optimize import optimize_for_inference
from lst_robust.models.preprocess import Preprocess
from lst_robust.records.confidence import Outcomes
from lst_robust.records.record import Provenance, Record, Run, make_record, utc_now
from lst_robust.records.store import Store
from lst_robust.runtime.process_group import Ranks
from lst_robust.runtime.progress import Observer
from lst_robust.suites import PixelStatistics

MAX_REASON = 300  # characters of another's error


class Measurer:
    """Holds the network and measures one cell after the other."""

    def __init__(
        self,
        model: nn.Module,
        pixels: PixelStatistics,
        images: CellImages,
        *,
        device: torch.device,
        batch_size: int,
        workers: int,
        amp: bool,
        observer: Observer,
    ) -> None:
        self.images, self.observer, self.workers = images, observer, workers
        self._clean_is_sure = False  # that the clean images are those that were hashed
        model = _ready(model, device)
        preprocess = Preprocess(pixels.mean, pixels.std, device)
        self.predict = Predictor(model, preprocess, len(images.clean.classes), amp=amp, warn=observer.warn)
        self.classify = Classifier(self.predict, images.clean.image_size, batch_size, workers)
        self.device, self.transform = device, f"{images.transform}, {pixels.described()}"

    def probe_answers(self, name: str) -> np.ndarray:
        """float32 (4, classes): the logits of the probe images, always in full precision.

        Raises UsageError when the network, called `name` in the message, cannot take them.
        """
        images = probe_images(self.images.clean.image_size)
        try:
            with full_precision(self.device):
                return self.predict.logits(images)
        except (LstRobustError, MemoryError):
            raise
        except Exception as error:  # the network's own code: anything can happen in it
            reason = " ".join(str(error).split())[:MAX_REASON]
            raise UsageError(
                f"{name} cannot classify {len(images)} float32 images of {images.shape[1]} pixels "
                f"({type(error).__name__}: {reason}): mend its code, or give it weights of float32"
            ) from error

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
        """Classifies all images of a cell, and compares with their labels.

        Raises DataError when the files have changed since they were hashed.
        """
        started = time.perf_counter()
        pixels = self.images.pixels_digest(cell, self.workers)
        labels = self.images.clean.labels
        parts: list[Outcomes] = []
        with closing(self.classify(self.images.loader(cell), labels)) as outcomes:
            for part in outcomes:
                parts.append(part)
                self.observer.advance(len(part.correct) / len(labels))
        seconds = time.perf_counter() - started
        self._require_unchanged(run, cell, pixels)
        return make_record(run, cell, Outcomes.concatenated(parts), self._provenance(seconds, len(labels)), pixels)

    def _require_unchanged(self, run: Run, cell: Cell, pixels: str | None) -> None:
        """The clean images are looked at once, because they are decoded once; official files after each cell."""
        unchanged = self.images.pixels_digest(cell, self.workers) == pixels
        if not self._clean_is_sure:
            unchanged &= self.images.clean.pixels_digest(self.workers) == run.protocol.pixels
            self._clean_is_sure = True
        if not unchanged:
            raise DataError(
                f"the images of {self.images.clean.place} changed while {cell.name} was measured: wait until nobody "
                "writes there, and run again"
            )

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


def _ready(model: nn.Module, device: torch.device) -> nn.Module:
    """A copy of the network in evaluation mode on its device: the caller's stays as it is. UsageError where it cannot
    be copied or moved."""
    try:
        copied = optimize_for_inference(model) if device.type == "cpu" else copy.deepcopy(model).eval()
        return copied.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    except torch.cuda.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:MAX_REASON]
        raise UsageError(
            f"the network cannot be copied to {device} ({type(error).__name__}: {reason}): give it weights, and detach "
            "the tensors that it keeps"
        ) from error


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
