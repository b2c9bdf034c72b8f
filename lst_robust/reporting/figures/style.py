"""The frame in which every figure is drawn: its size, its style, and that nothing of it stays behind."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, get_args

import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lst_robust.arguments import choice
from lst_robust.reporting.figure_names import Width

INCHES: dict[str, float] = {"column": 3.4, "page": 7.0}
"""The usual widths of a column and of the text of a page in papers with two columns."""
STYLE_FILE = Path(__file__).with_name("lst_robust.mplstyle")
P = ParamSpec("P")
_drawing = threading.RLock()  # matplotlib's settings belong to the process: figures of two threads take turns


@contextmanager
def drawing() -> Iterator[None]:
    """Within it, the style of this package is in force; afterwards, what was in force before."""
    with _drawing, warnings.catch_warnings(), matplotlib.style.context(["default", STYLE_FILE]):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a name in a script that the font lacks
        yield


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """A function that draws within `drawing`. The figure is laid out there once, which makes all its ticks and labels
    in the style: it then looks the same wherever it is saved."""

    @functools.wraps(draw)
    def within(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with drawing():
            figure = draw(*args, **kwargs)
            figure.draw_without_rendering()
        return figure

    return within


def new_figure(width: Width, height: float) -> Figure:
    """An empty figure of that width and of `height` inches. UsageError for another word."""
    figure = Figure(figsize=(INCHES[choice("width", width, get_args(Width))], height), layout="constrained")
    FigureCanvasAgg(figure)  # measures texts, so that labels can be placed
    return figure
