"""Whether two measurements of one cell say the same, and which of them is kept."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lst_robust.benchmark import Cell
from lst_robust.records.record import Record

ROUNDING = 0.002  # of confidences and Brier scores: two steps of float16 below 1, by which two processors differ
NOTED = ("top5_error", "predicted", "confidence", "calibration")  # earlier releases had them not


class Conflict(NamedTuple):
    """A cell with two outcomes, and the files that they are in."""

    cell: Cell
    first: Path
    second: Path

    def __str__(self) -> str:
        return (
            f"{self.cell.name} has two outcomes, in {self.first} and in {self.second}: nothing of this run is merged; "
            "measure the cell again, or take the newest one with --prefer newest"
        )

    def to_dict(self) -> dict[str, Any]:
        return {"cell": self.cell.name, "files": [str(self.first), str(self.second)]}


def same_outcome(first: Record, second: Record) -> bool:
    """Whether each image has the same outcome in both: right or wrong, the class, and the confidence to rounding. What
    a record of an earlier release does not say contradicts nothing."""
    if (first.correct, first.top1_error, first.pixels) != (second.correct, second.top1_error, second.pixels):
        return False
    for name in ("top5_error", "predicted"):
        values = getattr(first, name), getattr(second, name)
        if None not in values and values[0] != values[1]:
            return False
    return _same_confidences(first, second) and _same_brier(first, second)


def _same_confidences(first: Record, second: Record) -> bool:
    if first.confidence is None or second.confidence is None or first.confidence == second.confidence:
        return True
    one, other = first.confidences(), second.confidences()
    assert one is not None and other is not None
    return bool(np.allclose(one.astype(np.float64), other.astype(np.float64), rtol=0, atol=ROUNDING, equal_nan=True))


def _same_brier(first: Record, second: Record) -> bool:
    if first.calibration is None or second.calibration is None:
        return True
    return abs(first.calibration.brier - second.calibration.brier) <= ROUNDING


def noted(record: Record) -> set[str]:
    """Of what a record may lack, what it has."""
    return {name for name in NOTED if getattr(record, name) is not None}


def order(record: Record) -> tuple[datetime, str]:
    """When it was measured. Of two of one second the order is fixed, whichever comes first."""
    try:
        when = datetime.fromisoformat(record.provenance.finished.replace("Z", "+00:00"))
    except ValueError:
        when = datetime.min
    when = when.replace(tzinfo=timezone.utc) if when.tzinfo is None else when
    return when, record.model_dump_json(include={"correct", "predicted", "confidence", "calibration"})
