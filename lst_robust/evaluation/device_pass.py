"""One cell of one or several networks, with all images and all outcomes on their device until the cell is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from lst_robust.benchmark import Cell
from lst_robust.evaluation.cell_feed import CellFeed
from lst_robust.evaluation.chunks import batches_within
from lst_robust.evaluation.feeding import Done, Stopwatch
from lst_robust.evaluation.inference import InferenceRunner
from lst_robust.evaluation.outcome_tensors import OutcomeTensors
from lst_robust.evaluation.turns import Turns
from lst_robust.records.confidence import Outcomes
from lst_robust.runtime.devices import sent
from lst_robust.runtime.interruption import check_interrupted
from lst_robust.runtime.portions import MakeRoom, with_room

Network = TypeVar("Network")
Breaking = Callable[[Network, Cell, dict[Network, "CellOfNetwork"]], AbstractContextManager[None]]
"""Within it the network's code is at work; where that fails in a way that concerns this network alone, the network is
taken out of the dictionary."""


class CellOfNetwork:
    """What one network makes of one cell, on its device."""

    def __init__(self, runner: InferenceRunner, labels: np.ndarray) -> None:
        """labels: int64, of all images."""
        device = runner.settings.device
        self._runner, self.batches = runner, runner.sizes.batches(len(labels))
        self._labels = sent(torch.from_numpy(labels), device)
        self._found = OutcomeTensors(len(labels), runner.classes, device)
        self._watch = Stopwatch(device)

    def take(self, images: Tensor, positions: range, make_room: MakeRoom | None = None) -> None:
        """images: of the cell at these positions, which cut no batch in two. make_room: where the network has not
        enough memory. Nothing waits for the device."""
        with self._watch.running():
            for batch in batches_within(self.batches, positions):
                own = images[batch.start - positions.start : batch.stop - positions.start]
                self._runner.classify(own, self._labels, batch.start, self._found, make_room)

    def outcomes(self) -> Outcomes:
        """The one copy to the host. Raises NonFiniteError when a logit was NaN or infinite."""
        return self._found.read()

    @property
    def seconds(self) -> float:
        """That the device has taken for this network, after `outcomes`."""
        return self._watch.seconds()


class DevicePass(Generic[Network]):
    """Takes networks on one device through one cell after the other.

    breaking: see `Breaking`; advance: is called with the cells that are done, as fractions.
    """

    def __init__(
        self, feed: CellFeed, turns: Turns, breaking: Breaking[Network], advance: Callable[[float], object]
    ) -> None:
        self._feed, self._turns, self._breaking, self._advance = feed, turns, breaking, advance

    def outcomes(
        self, cell: Cell, runners: Mapping[Network, InferenceRunner], labels: np.ndarray
    ) -> dict[Network, tuple[Outcomes, float]]:
        """Of each network that could classify all images, with its seconds: those that its work took on the device,
        and an equal share of the others."""
        begun, [device] = time.perf_counter(), {runner.settings.device for runner in runners.values()}
        make_room = self._feed.make_room
        working = {
            network: with_room(lambda: CellOfNetwork(runner, labels), make_room)  # noqa: B023 - called at once
            for network, runner in runners.items()
        }
        batches = [one.batches for one in working.values()]
        done = Done(device, self._advance)
        with closing(self._feed.parts(cell, batches)) as parts:
            for positions, images in parts:
                check_interrupted()
                for network in list(working):
                    with self._breaking(network, cell, working), self._turns.turn(runners[network]):
                        working[network].take(images, positions, make_room)
                    done.after_this(len(positions) / len(labels))  # its errors are no network's
                if not working:
                    break
            found = {}
            for network, one in list(working.items()):
                with self._breaking(network, cell, working):
                    found[network] = one.outcomes()
        done.all()
        seconds = {network: working[network].seconds for network in found}
        waiting = max(0.0, time.perf_counter() - begun - sum(seconds.values())) / len(runners)
        return {network: (outcomes, seconds[network] + waiting) for network, outcomes in found.items()}
