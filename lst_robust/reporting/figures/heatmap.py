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
from lst_robust.reporting.figures.names import counted, plain, short_names
from lst_robust.reporting.figures.numbers import array, mean, present
from lst_robust.reporting.figures.panels import grouped, in_order, label
from lst_robust.reporting.figures.style import new_figure, styled
from lst_robust.reporting.palette import FAINT

NAME_LENGTH = 24
MOST_WITH_NUMBERS = 8  # networks side by side in a column of a paper; more leave no room for numbers
FEWEST_ACROSS = 4  # places for networks in a column of a paper
ROW = 0.19  # inches


class HeatRow(NamedTuple):
    """A network's number of each corruption, in percent; None or absent where it was not measured."""

    name: str
    values: Mapping[str, float | None]


@styled
def draw_heatmap(rows: Sequence[HeatRow], *, quantity: str = "CE", width: Width = "page") -> Figure:
    """The matrix with its numbers; missing ones are hatched. On a page networks are rows, in a column of a paper they
    are columns, without numbers from nine networks on. quantity: what the numbers are, such as "CE" or "Error".

    Raises NothingToEvaluateError where there is no number.
    """
    corruptions, values = _matrix(rows)
    names = short_names([row.name for row in rows], NAME_LENGTH)
    scale = colour_scale(float(np.nanmin(values)), float(np.nanmax(values)))
    upright = width == "column"

    def tips(row: int, column: int) -> str:
        row, column = (column, row) if upright else (row, column)
        value = values[row, column]
        number = "not measured" if np.isnan(value) else f"{quantity} {value:.2f} %"
        return f"{rows[row].name}, {label(corruptions[column])}: {number}"

    letters = max(map(len, names)) / 18  # inches that upright names take
    height = 0.75 + letters + ROW * len(corruptions) if upright else 1.25 + ROW * len(rows)
    figure = new_figure(width, height)
    axes = figure.subplots()
    labels = [label(name) for name in corruptions]
    draw_cells(
        axes,
        values.T if upright else values,
        scale,
        text=(lambda value: f"{value:.0f}") if not upright or len(rows) <= MOST_WITH_NUMBERS else None,
        tips=tips,
        size=6.5,
    )
    if upright:  # cells of a network or two do not become beams
        axes.set_xlim(-0.5, max(len(rows), FEWEST_ACROSS) - 0.5)
    across, down = (names, labels) if upright else (labels, names)
    axes.set_xticks(range(len(across)), across, rotation=90)
    axes.xaxis.set_ticks_position("bottom" if upright else "top")
    axes.set_yticks(range(len(down)), down)
    _mark_groups(axes, corruptions, len(rows), upright)
    add_key(figure, axes, scale, f"{quantity}, %, lower is better")
    return figure


def describe_heatmap(rows: Sequence[HeatRow], *, quantity: str = "CE") -> str:
    """What `draw_heatmap` shows, in words."""
    corruptions, values = _matrix(rows)
    low, high = (np.unravel_index(find(values), values.shape) for find in (np.nanargmin, np.nanargmax))
    hardest = max(corruptions, key=lambda name: mean(values[:, corruptions.index(name)]) or 0.0)
    missing = int(np.isnan(values).sum())

    def cell(place: tuple[np.intp, ...]) -> str:
        row, column = map(int, place)
        return f"{values[row, column]:.1f} % ({plain(rows[row].name)} on {label(corruptions[column])})"

    gaps = f" {missing} of {values.size} cells were not measured." if missing else ""
    return (
        f"{quantity} of {counted(len(rows), 'network')} on {counted(len(corruptions), 'corruption')}, a number in each "
        f"cell. The lowest is {cell(low)}, the highest {cell(high)}; the mean over the networks is highest on "
        f"{label(hardest)} with {mean(values[:, corruptions.index(hardest)]):.1f} %.{gaps}"
    )


def _matrix(rows: Sequence[HeatRow]) -> tuple[list[str], np.ndarray]:
    """The corruptions of which anyone has a number, in order, and float64 (networks, corruptions)."""
    corruptions = in_order(name for row in rows for name, value in row.values.items() if present([value]))
    if not corruptions:
        raise NothingToEvaluateError("no heat map to draw: none of the networks has a number of a corruption")
    return corruptions, np.stack([array([row.values.get(name) for name in corruptions]) for row in rows])


def _mark_groups(axes: Axes, corruptions: Sequence[str], across: int, upright: bool) -> None:
    """The names of the groups along their corruptions, and a line between one group and the next. across: cells the
    other way."""
    start = 0
    for group, names in grouped(corruptions).items():
        middle = start + (len(names) - 1) / 2
        text = group.capitalize() if len(names) > 1 else ""
        if upright:
            axes.text(across - 0.5, middle, f" {text}", rotation=270, color=FAINT, ha="left", va="center")
        else:
            axes.text(middle, across - 0.42, text, color=FAINT, ha="center", va="top")
        start += len(names)
        if start < len(corruptions):
            place, ends = [start - 0.5] * 2, [-0.5, across - 0.5]
            axes.plot(*((ends, place) if upright else (place, ends)), color=FAINT, linewidth=0.9, marker="")
