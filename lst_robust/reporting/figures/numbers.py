"""Numbers that may be missing: None in the input, NaN in arrays, nothing in a picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np


def array(values: Sequence[float | None]) -> np.ndarray:
    """float64, with NaN where a value is missing or not finite."""
    numbers = np.array([math.nan if value is None else float(value) for value in values], dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def present(values: Iterable[float | None]) -> list[float]:
    """Those that are there and finite."""
    return [float(value) for value in values if value is not None and math.isfinite(value)]


def is_present(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def mean(values: Iterable[float | None]) -> float | None:
    """Of those that are there."""
    found = present(values)
    return math.fsum(found) / len(found) if found else None
