"""Loss and error of an epoch while it runs."""

from __future__ import annotations

import math
import time

import torch
from torch import distributed

from lst_robust.errors import NonFiniteError
from lst_robust.runtime.devices import asynchronous
from lst_robust.runtime.process_group import Ranks

MOST_STEPS = 1000  # between two readings


class Meter:
    """Adds up an epoch's loss, wrong answers and images, and reads them after each batch.

    losses: sum over the images; wrong: answers; seen: images; steps: batches. All processes of a training have the
    same.
    """

    def __init__(self, epoch: int, device: torch.device, ranks: Ranks) -> None:
        """epoch: counted from 0, for messages."""
        self.losses, self.wrong, self.seen, self.steps = 0.0, 0, 0, 0
        self._epoch, self._device, self._ranks = epoch, device, ranks
        self._shown = 0

    def add(self, totals: torch.Tensor, n: int) -> None:
        """One batch of n images. totals: this process's sum of losses and number of wrong answers, float64 (2,), on the
        device. NonFiniteError for a loss that is no number."""
        if self._ranks.world > 1:
            distributed.all_reduce(totals)
        self._check(float(totals[0]))
        self.losses += float(totals[0])
        self.wrong += int(totals[1])
        self.seen += n
        self.steps += 1

    def finish(self) -> None:
        """The epoch is over: everything is read."""

    def news(self) -> int:
        """How many batches have been read since the last call."""
        new = self.steps - self._shown
        self._shown = self.steps
        return new

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise NonFiniteError(
                f"the loss became {loss} in epoch {self._epoch + 1}; lower the recipe's lr "
                "and start anew with lst-robust train --no-resume"
            )


class SlowMeter(Meter):
    """Leaves the sums on the device and reads them about once a second, because the device waits while they are read.

    A loss that is no number makes the sum no number, so it is found at the next reading. Processes must read after the
    same batch: they share how long a batch takes, and so count to the same number.
    """

    def __init__(self, epoch: int, device: torch.device, ranks: Ranks) -> None:
        super().__init__(epoch, device, ranks)
        self._sums = torch.zeros(3, dtype=torch.float64, device=device)  # losses, wrong answers, seconds a batch
        self._images = self._batches = 0
        self._next, self._pace, self._read_at = 1, 0.0, time.perf_counter()

    def add(self, totals: torch.Tensor, n: int) -> None:
        self._sums[:2] += totals
        self._images += n
        self._batches += 1
        if self._batches >= self._next:
            self._read()

    def finish(self) -> None:
        if self._batches > self.steps:
            self._read()

    def _read(self) -> None:
        sums = self._sums.clone()
        sums[2] = self._pace
        if self._ranks.world > 1:
            distributed.all_reduce(sums)
        losses, wrong, pace = self._values(sums)
        self._check(losses)
        now = time.perf_counter()
        self._pace = (now - self._read_at) / (self._batches - self.steps)
        self._read_at = now
        self.losses, self.wrong, self.seen, self.steps = losses, int(wrong), self._images, self._batches
        pace /= self._ranks.world
        self._next = self.steps + max(1, min(MOST_STEPS, round(1 / pace) if pace else 1))

    def _values(self, sums: torch.Tensor) -> list[float]:
        """The only place of an epoch where the host waits for the device."""
        return sums.tolist()


def meter_of(epoch: int, device: torch.device, ranks: Ranks) -> Meter:
    """The meter for a device."""
    return (SlowMeter if asynchronous(device) else Meter)(epoch, device, ranks)
