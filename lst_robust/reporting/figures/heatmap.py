"""Heat map: networks against corruptions, CE or mean error in each cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lst_robust.errors import NothingToEvaluateError
from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.cells import add_key, colour_scale, draw_cells
from lst_robust.reporting.figures.names import plain, short_names
from lst_robust.reporting.figures.numbers import array, mean
from lst_robust.reporting.figures.palette import FAINT
from lst_robust.reporting.figures.panels import grouped, in_order, label
from lst_robust.reporting.figures.style import new_figure, styled


class HeatRow(NamedTuple):
    """A network's number of each corruption, in percent; None or absent where it was not measured."""

    name: str
    values: Mapping[str, float | None]


@styled
def draw_heatmap(rows: Sequence[HeatRow], *, quantity: str = "CE", width: Width = "page") -> Figure:
    """The matrix with its numbers; missing ones are hatched. On a page networks are rows, in a column of a paper they
    are columns. quantity: what the numbers are, such as "CE" or "Error".

    Raises NothingToEvaluateError where there is no number.
    """
    raise NotImplementedError


def describe_heatmap(rows: Sequence[HeatRow], *, quantity: str = "CE") -> str:
    """What `draw_heatmap` shows, in words."""
    raise NotImplementedError
