"""Clean error against corruption error, and how far networks lie from the line of published ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.style import styled


class Point(NamedTuple):
    """A network: clean top-1 error and the number beside it (mCE or mean corruption error), in percent, each with the
    ends of its 95 % interval, None where there is none. A point with a missing number is not drawn."""

    name: str
    clean_error: float | None
    value: float | None
    clean_low: float | None = None
    clean_high: float | None = None
    low: float | None = None
    high: float | None = None


class Fit(NamedTuple):
    """The line value = intercept + slope * clean error through n published networks, in percent; r2: its coefficient
    of determination."""

    slope: float
    intercept: float
    n: int
    r2: float

    def at(self, clean_error: float) -> float:
        return self.intercept + self.slope * clean_error


class Scatter(NamedTuple):
    """points: the networks measured here. quantity: what their value is, such as "mCE (15)". published: other people's
    networks, without intervals. source: whose they are, such as "imagenet-testbed". fit: None draws no line."""

    points: Sequence[Point]
    quantity: str
    published: Sequence[Point] = ()
    source: str = ""
    fit: Fit | None = None


@styled
def draw_scatter(scatter: Scatter, *, width: Width = "page") -> Figure:
    """The points with intervals and names; published networks are a grey cloud behind, with the line fitted to them.
    The vertical distance from this line is effective robustness (Taori et al., "Measuring Robustness to Natural
    Distribution Shifts in Image Classification", NeurIPS 2020): below it, a network is more robust than its clean error
    predicts.

    Raises NothingToEvaluateError where no point has both numbers.
    """
    raise NotImplementedError


def describe_scatter(scatter: Scatter) -> str:
    """What `draw_scatter` shows, in words."""
    raise NotImplementedError
