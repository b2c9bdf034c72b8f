"""What a cell of a network is expected to cost: from the records of earlier runs, else from the network's size.

Only the order and the ratios count: which task is longest, and how much work makes a task.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean, median
from typing import NamedTuple

from torch import nn

from lst_robust.benchmark import CLEAN, Cell
from lst_robust.evaluation.plan import EvalPlan
from lst_robust.models.profile import count

logger = logging.getLogger(__name__)
MACS_A_SECOND = 5e10  # of a few cores; a GPU does a hundred times as many, of all networks alike
MACS_A_PARAMETER = 50.0  # where they cannot be counted: ResNet-50 has 160, AlexNet 12
CORRUPTION = 20e-9  # seconds a pixel: the median of the CPU's engine on one core
RELATIVE = {  # to that median, in tenths
    CLEAN: 0.0,
    "glass_blur": 6.0,
    "motion_blur": 2.0,
    "zoom_blur": 4.0,
    "snow": 3.0,
    "fog": 2.0,
    "frost": 1.5,
    "elastic_transform": 3.0,
    "jpeg_compression": 1.5,
}


class Size(NamedTuple):
    """macs: for one image; bytes: of the weights."""

    macs: float
    bytes: int


def size_of(network: nn.Module, image_size: int) -> Size:
    """Counted by one pass; estimated from the parameters where torch's counter cannot follow the network."""
    tensors = [*network.parameters(), *network.buffers()]
    try:
        macs = float(count(network, image_size).macs)
    except Exception as error:  # the network's own code: anything can happen in it
        logger.debug("multiply-accumulates are estimated: %s", error)
        macs = 0.0
    return Size(macs or MACS_A_PARAMETER * sum(one.numel() for one in tensors), sum(one.nbytes for one in tensors))


class Costs:
    """Seconds of cells: as earlier records of the networks say, else by an estimate that fits to those."""

    def __init__(self, observed: Iterable[tuple[EvalPlan, Size, Mapping[Cell, float]]]) -> None:
        """observed: networks, each with the seconds that those of its cells took which are there."""
        self._of_run: dict[str, float] = {}
        by_corruption: defaultdict[str, list[float]] = defaultdict(list)
        to_estimate = []
        for plan, size, of_cells in observed:
            seconds = {cell: value / plan.run.protocol.n for cell, value in of_cells.items()}
            if seconds:
                typical = self._of_run[plan.run.digest] = max(median(seconds.values()), 1e-9)
                to_estimate.append(typical / sum(_estimate(plan, size)))
                for cell, value in seconds.items():
                    by_corruption[cell.corruption].append(value / typical)
        self._ratios = {corruption: fmean(values) for corruption, values in by_corruption.items()}
        self._scale = median(to_estimate) if to_estimate else 1.0  # a GPU is a hundred times as fast as the estimate

    def seconds(self, plan: EvalPlan, cell: Cell, size: Size) -> float:
        """Of all images of the cell, without what it takes to begin."""
        network, corruption = (self._scale * seconds for seconds in _estimate(plan, size))
        typical = self._of_run.get(plan.run.digest, network + corruption)
        if cell.corruption in self._ratios:
            relative = self._ratios[cell.corruption]
        else:
            share = corruption / (network + corruption)  # of the time that the corruption decides
            relative = 1 - share + share * RELATIVE.get(cell.corruption, 1.0)
        return plan.run.protocol.n * typical * relative


def _estimate(plan: EvalPlan, size: Size) -> tuple[float, float]:
    """Seconds of an image: in the network, and for the median corruption."""
    return size.macs / MACS_A_SECOND, CORRUPTION * plan.run.protocol.image_size**2
