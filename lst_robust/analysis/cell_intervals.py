"""95 % intervals of the error of every single cell: the bands of severity curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lst_robust.analysis import statistics
from lst_robust.benchmark import Cell
from lst_robust.records.record import Record


def error_intervals(trainings: Sequence[Mapping[Cell, Record]]) -> dict[Cell, tuple[float, float]]:
    """Of the top-1 error in each cell that all trainings have, in percent: a bootstrap over images of each image's mean
    over the trainings, as the other intervals (see `statistics.intervals`)."""
    cells = sorted(set.intersection(*(set(records) for records in trainings)))
    if not cells:
        return {}
    wrong = [np.stack([~records[cell].correct_bits() for cell in cells], axis=1) for records in trainings]
    ends = statistics.intervals(100 * np.mean(wrong, axis=0)).tolist()
    return {cell: (low, high) for cell, (low, high) in zip(cells, ends, strict=True)}
