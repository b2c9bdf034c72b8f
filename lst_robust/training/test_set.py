"""The error of a network in training on the test images."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

from lst_robust.data import ImageSource
from lst_robust.models.preprocess import Preprocess
from lst_robust.models.resident import on_device, read_into, resident_images
from lst_robust.runtime.devices import asynchronous, sent
from lst_robust.runtime.interruption import check_interrupted
from lst_robust.runtime.prefetch import prefetch
from lst_robust.runtime.process_group import Ranks

BATCH = 64


@torch.inference_mode()
def measure_error(model: nn.Module, source: ImageSource, preprocess: Preprocess, workers: int, ranks: Ranks) -> float:
    """Top-1 error in percent, each process taking its share of the images. The network is left in evaluation mode."""
    model.eval()
    share = np.arange(len(source))[ranks.rank :: ranks.world]
    batches = [share[start : start + BATCH].tolist() for start in range(0, len(share), BATCH)]
    wrong = 0
    for batch, images in zip(batches, prefetch(source.read, batches, workers), strict=True):
        predicted = model(preprocess(images).contiguous(memory_format=torch.channels_last)).argmax(1)
        wrong += int((predicted.cpu().numpy() != source.labels[batch]).sum())
    return 100 * ranks.total([wrong])[0] / len(source)


class DeviceTestSet:
    """The same away from the CPU: images stay on the device where they fit, and one number comes back."""

    def __init__(
        self, source: ImageSource, preprocess: Preprocess, workers: int, ranks: Ranks, batch_size: int = BATCH
    ) -> None:
        self.source, self.preprocess, self.workers, self.ranks = source, preprocess, workers, ranks
        share = np.arange(len(source))[ranks.rank :: ranks.world]
        self.share, self.batch_size, device = source.select(share), batch_size, preprocess.device
        self.labels = sent(torch.from_numpy(self.share.labels), device)
        self.resident: torch.Tensor | None = None
        self._looked = False

    @torch.inference_mode()
    def error(self, model: nn.Module) -> float:
        """As `measure_error`."""
        if not self._looked:  # after the first epoch, which has taken the memory that it needs
            self._looked, self.resident = True, resident_images(self.share, self.preprocess.device, self.workers)
        model.eval()
        wrong = torch.zeros((), dtype=torch.int64, device=self.preprocess.device)
        start = 0
        for images in self._batches():
            check_interrupted()
            predicted = model(self.preprocess(images).contiguous(memory_format=torch.channels_last)).argmax(1)
            wrong += (predicted != self.labels[start : start + len(images)]).sum()
            start += len(images)
        return 100 * self.ranks.total([int(wrong)])[0] / len(self.source)

    def _batches(self) -> Iterator[torch.Tensor]:
        if self.resident is not None:
            yield from self.resident.split(self.batch_size)
            return
        starts = range(0, len(self.share), self.batch_size)
        batches = [list(range(start, min(start + self.batch_size, len(self.share)))) for start in starts]
        yield from on_device(
            read_into(self.share), batches, self.share.image_size, self.preprocess.device, self.workers
        )


def error_measurer(
    source: ImageSource, preprocess: Preprocess, workers: int, ranks: Ranks, batch_size: int
) -> Callable[[nn.Module], float]:
    """What measures a network's error on a source, as `measure_error` does, on the preprocessing's device. batch_size:
    what one process sends through the network at a time in training, for which the memory is enough."""
    if not asynchronous(preprocess.device):
        return lambda model: measure_error(model, source, preprocess, workers, ranks)
    return DeviceTestSet(source, preprocess, workers, ranks, max(BATCH, batch_size)).error
