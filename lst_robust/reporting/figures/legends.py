"""Legends: which networks have a look of their own, and a legend above the panels that fits into the width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.style import INCHES
from lst_robust.reporting.palette import FAINT, REST, Look

TOLD_APART = 8  # lines in one panel that a reader can tell apart; further ones are grey
LETTER, HANDLE, ROW = (
    4.2,
    26.0,
    10.4,
)  # points: width of a letter on average, of a handle with its gaps, height of a row


def line_handle(look: Look) -> Line2D:
    dashes: Any = look.linestyle
    return Line2D([], [], color=look.colour, linestyle=dashes, marker=look.marker)


def rest_handle() -> Line2D:
    """Of those in the background."""
    return Line2D([], [], color=REST, linewidth=0.7)


def add_legend(figure: Figure, handles: Sequence[Line2D], names: Sequence[str], title: str | None = None) -> None:
    """Above everything, in as many columns as fit."""
    columns = _columns(figure.get_figwidth(), names)
    legend = figure.legend(handles, names, loc="outside upper left", ncols=columns, title=title, alignment="left")
    legend.get_title().set_color(FAINT)


def legend_height(width: Width, names: Sequence[str], title: str | None = None) -> float:
    """The inches that `add_legend` needs."""
    return ROW * (-(-len(names) // _columns(INCHES[width], names)) + bool(title)) / 72 + 0.04


def _columns(inches: float, names: Sequence[str]) -> int:
    across = 72 * inches / (LETTER * max(map(len, names)) + HANDLE)
    return max(1, min(len(names), int(across)))
