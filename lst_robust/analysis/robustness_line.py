"""Effective robustness: is a network more robust than its clean error predicts?

Taori, Dave, Shankar, Carlini, Recht, Schmidt, "Measuring Robustness to Natural Distribution Shifts in Image
Classification", NeurIPS 2020: a line is fitted to many networks, from what they do on clean images to what they do on
shifted ones. A network is effectively robust by how far it lies beyond that line. They fit logits of accuracies. An mCE
is no accuracy, so here the line is one of least squares in percent, and holds within the fitted networks' range only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

FEWEST = 3  # networks: through two of them any line fits


class RobustnessLine(NamedTuple):
    """mCE = intercept + slope · clean error, in percent; r2: the share of the variance that it explains; n: networks
    that it was fitted to; low, high: the range of their clean errors."""

    slope: float
    intercept: float
    r2: float
    n: int
    low: float
    high: float


def robustness_line(points: Sequence[tuple[float, float]]) -> RobustnessLine | None:
    """The line through (clean error, mCE) of several networks; None for fewer than three, or of one clean error."""
    if len(points) < FEWEST:
        return None
    x, y = np.asarray(points, dtype=np.float64).T
    if np.ptp(x) == 0:
        return None
    slope, intercept = np.polyfit(x, y, 1)
    left = ((y - intercept - slope * x) ** 2).sum()
    total = ((y - y.mean()) ** 2).sum()
    r2 = 1 - left / total if total > 0 else 1.0
    return RobustnessLine(float(slope), float(intercept), float(r2), len(points), float(x.min()), float(x.max()))
