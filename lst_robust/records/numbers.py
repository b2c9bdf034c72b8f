"""What a table needs of a cell's record: a few numbers, without the outcome of each image."""

from __future__ import annotations

from typing import NamedTuple

from lst_robust.records.record import Record


class CalibrationNumbers(NamedTuple):
    """As `Calibration` gives them: the expected calibration error in percent, the Brier score from 0 to 2."""

    expected_error: float
    brier: float

    def ece(self) -> float:
        return self.expected_error


class Measurement(NamedTuple):
    """Where a cell was measured, and how fast."""

    device: str
    images_per_second: float


class CellNumbers(NamedTuple):
    """Of a record the fields that are no list of images, under the same names. Errors in percent."""

    top1_error: float
    top5_error: float | None
    calibration: CalibrationNumbers | None
    pixels: str | None
    provenance: Measurement

    @classmethod
    def of(cls, record: Record) -> CellNumbers:
        calibration = record.calibration
        found = None if calibration is None else CalibrationNumbers(calibration.ece(), calibration.brier)
        measurement = Measurement(record.provenance.device, record.provenance.images_per_second)
        return cls(record.top1_error, record.top5_error, found, record.pixels, measurement)
