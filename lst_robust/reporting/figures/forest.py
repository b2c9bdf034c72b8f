"""Forest plot: paired differences of networks to one reference network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.style import styled


class Difference(NamedTuple):
    """One row: a metric or corruption. Network minus reference, in percentage points, with its 95 % interval over
    images; below zero the network is the better one.

    group: under which heading the row stands, such as "Metrics" or "Noise". p: the p-value that decides on the mark,
    Holm-corrected where the row belongs to a family. seeds_low, seeds_high: the 95 % interval over trainings, None
    where there is none. Numbers are None where a cell was not measured.
    """

    label: str
    group: str
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    seeds_low: float | None = None
    seeds_high: float | None = None


class Contrast(NamedTuple):
    """A network's differences to the reference."""

    name: str
    rows: Sequence[Difference]


@styled
def draw_forest(contrasts: Sequence[Contrast], *, reference: str, width: Width = "page") -> Figure:
    """Rows are metrics and corruptions; networks stand side by side. The marker is filled where p < 0.05. A thinner
    line is the interval over trainings.

    Raises NothingToEvaluateError where there is no difference.
    """
    raise NotImplementedError


def describe_forest(contrasts: Sequence[Contrast], *, reference: str) -> str:
    """What `draw_forest` shows, in words."""
    raise NotImplementedError
