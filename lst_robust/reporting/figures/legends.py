"""Legends: which networks have a look of their own, and a legend above the panels that fits into the width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lst_robust.reporting.figures.palette import REST, Look

TOLD_APART = 8  # lines in one panel that a reader can tell apart; further ones are grey
LETTER, HANDLE = 4.3, 28.0  # points: width of a letter on average, of the handle with the gaps around


def line_handle(look: Look) -> Line2D:
    dashes: Any = look.linestyle
    return Line2D([], [], color=look.colour, linestyle=dashes, marker=look.marker)


def rest_handle() -> Line2D:
    """Of those in the background."""
    return Line2D([], [], color=REST, linewidth=0.7)


def add_legend(figure: Figure, handles: Sequence[Line2D], names: Sequence[str]) -> None:
    """Above everything, in as many columns as fit."""
    across = 72 * figure.get_figwidth() / (LETTER * max(map(len, names)) + HANDLE)
    figure.legend(handles, names, loc="outside upper left", ncols=max(1, min(len(names), int(across))))
