"""Measures the cells of a run: images through the network, outcomes into records."""

from __future__ import annotations

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
from lst_robust.distributed import Ranks
from lst_robust.errors import NonFiniteError
from lst_robust.evaluation.confidence import Outcomes
from lst_robust.evaluation.images import CellImages
from lst_robust.evaluation.inference import Classifier, Predictor
from lst_robust.evaluation.probe import probe_images
from lst_robust.evaluation.records import CLEAN_CELL, Cell, Provenance, Record, Run, make_record, utc_now
from lst_robust.evaluation.store import Store
from lst_robust.models.inference import optimize_for_inference
from lst_robust.preprocess import Preprocess
from lst_robust.progress import Observer
from lst_robust.suites import PixelStatistics


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
