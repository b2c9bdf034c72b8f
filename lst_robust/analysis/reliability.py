"""How often a network is right when it says that it is sure: what a reliability diagram shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.records.confidence import Calibration
from lst_robust.records.record import Record


def pooled(records: Iterable[Record]) -> Calibration | None:
    """The bins of several cells of one size together; None where one of them has none, as in the first release, and for
    no cell. Their ECE is smaller than the mean of the cells' ECEs where the cells err to different sides."""
    found = [record.calibration for record in records]
    present = [calibration for calibration in found if calibration is not None]
    if not present or len(present) < len(found):
        return None
    return Calibration(
        count=tuple(np.sum([one.count for one in present], axis=0).tolist()),
        confidence=tuple(np.sum([one.confidence for one in present], axis=0).tolist()),
        correct=tuple(np.sum([one.correct for one in present], axis=0).tolist()),
        brier=float(np.mean([one.brier for one in present])),
    )


def clean_and_corrupted(trainings: Iterable[Mapping[Cell, Record]]) -> tuple[Calibration | None, Calibration | None]:
    """Of all trainings of a network together: on the clean images, and in all corrupted cells."""
    records = [record for of_one in trainings for record in of_one.values()]
    clean = [record for record in records if record.cell == CLEAN_CELL]
    return pooled(clean), pooled(record for record in records if record.cell != CLEAN_CELL)
