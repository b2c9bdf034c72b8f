"""Coloured cells with a number in each: what the heat map and the agreement between networks are made of."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from lst_robust.reporting.figures.names import tip
from lst_robust.reporting.palette import REST, on_cell

COLOURS = "viridis"
"""Perceptually uniform, also for colour-blind readers, and from light to dark in grey print."""
KEY_HEIGHT, KEY_WIDTH = 0.06, 0.4  # of the key of the colours: inches; a share of the figure's width
STEPS = 24  # of the colour key: a quarter of a percent of the range is not to be read from it
HATCH = "////"  # of a cell without a number


def colour_scale(low: float, high: float) -> ScalarMappable:
    """From light (low) to dark (high), so that high errors carry the ink."""
    return ScalarMappable(Normalize(low, high), colormaps[f"{COLOURS}_r"])


def draw_cells(
    axes: Axes,
    values: np.ndarray,
    scale: ScalarMappable,
    *,
    text: Callable[[float], str] | None,
    tips: Callable[[int, int], str],
    size: float,
    blank: Collection[tuple[int, int]] = (),
) -> None:
    """One square for each of `values`, float (rows, columns), NaN where missing. text: what is written into a cell;
    None writes nothing. size: of the letters, in points. blank: cells (row,
    column) that stay empty where their number is missing; others are hatched."""
    rows, columns = values.shape
    axes.grid(False)
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    for (row, column), value in np.ndenumerate(values):
        corner, gid = (column - 0.48, row - 0.46), tip(tips(row, column))
        if np.isnan(value):
            if (row, column) not in blank:
                gap = Rectangle(corner, 0.96, 0.92, fill=False, edgecolor=REST, linewidth=0, hatch=HATCH, gid=gid)
                axes.add_patch(gap)
            continue
        red, green, blue, _ = scale.to_rgba(value)
        axes.add_patch(Rectangle(corner, 0.96, 0.92, facecolor=(red, green, blue), linewidth=0, gid=gid))
        if text is not None:
            colour = on_cell(red, green, blue)
            axes.text(column, row, text(value), color=colour, size=size, ha="center", va="center_baseline")


def add_key(figure: Figure, axes: Axes | list[Axes], scale: ScalarMappable, label: str) -> None:
    """The key of the colours, below; none where all numbers are equal."""
    low, high = scale.get_clim()
    if low == high:
        return
    steps = np.linspace(low, high, STEPS + 1)
    across, upward = figure.get_size_inches()  # the key has one size, whatever that of the matrix
    key = figure.colorbar(
        scale, ax=axes, location="bottom", boundaries=steps, values=(steps[1:] + steps[:-1]) / 2, label=label,
        spacing="proportional", fraction=KEY_HEIGHT / upward, aspect=KEY_WIDTH * across / KEY_HEIGHT, shrink=0.5,
        pad=0.02,
    )  # fmt: skip
    key.outline.set_visible(False)
    key.set_ticks([tick for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high])
