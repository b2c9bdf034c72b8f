"""Strip plot: every training of every network, with the mean and its interval over trainings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.style import styled


class Trainings(NamedTuple):
    """A network's value of one metric, in percent, of each of its trainings (None where it was not measured)."""

    name: str
    values: Sequence[float | None]


@styled
def draw_seeds(trainings: Sequence[Trainings], *, quantity: str, width: Width = "page") -> Figure:
    """A row a network: a dot a training, and below them the mean with its 95 % Student interval (see
    `statistics.spread`), where there are two trainings or more. quantity: what is on the axis, such as "mCE (15)".

    Raises NothingToEvaluateError where there is no value.
    """
    raise NotImplementedError


def describe_seeds(trainings: Sequence[Trainings], *, quantity: str) -> str:
    """What `draw_seeds` shows, in words."""
    raise NotImplementedError
