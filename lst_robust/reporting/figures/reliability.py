"""Reliability diagram: how often a network is right when it is so sure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.style import styled


class Bins(NamedTuple):
    """Images by confidence, in bins of equal width over (0, 1], as `records.confidence.Calibration` keeps them: how
    many there are, the sum of their confidences, the number classified correctly.

    ece: the expected calibration error to be stated, in percent. None computes that of these bins; over several cells
    this is not the mean of their ECEs, which tables show.
    """

    count: Sequence[int]
    confidence: Sequence[float]
    correct: Sequence[int]
    ece: float | None = None


class Calibrated(NamedTuple):
    """A network's bins on the clean images and over all its corrupted cells; None where they are not known."""

    name: str
    clean: Bins | None
    corrupted: Bins | None


@styled
def draw_reliability(networks: Sequence[Calibrated], *, width: Width = "page") -> Figure:
    """Accuracy against confidence, clean and corrupted side by side, with the share of images in each bin below. On
    the diagonal a network is as often right as it is sure; below it, it is too sure.

    Raises NothingToEvaluateError where no network has bins.
    """
    raise NotImplementedError


def describe_reliability(networks: Sequence[Calibrated]) -> str:
    """What `draw_reliability` shows, in words."""
    raise NotImplementedError
