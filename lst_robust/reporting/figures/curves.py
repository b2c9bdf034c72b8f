"""Severity curves: how the error of each network grows with the severity of each corruption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lst_robust.benchmark import SEVERITIES, group_of
from lst_robust.errors import NothingToEvaluateError
from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.legends import TOLD_APART, add_legend, legend_height, line_handle, rest_handle
from lst_robust.reporting.figures.names import counted, plain, short_names, tip
from lst_robust.reporting.figures.numbers import array, mean, present
from lst_robust.reporting.figures.panels import in_order, label, placed
from lst_robust.reporting.figures.style import new_figure, styled
from lst_robust.reporting.palette import FAINT, REST, Look, looks

Errors = Mapping[str, Sequence[float | None]]
NONE: Errors = MappingProxyType({})
PANEL = {"column": 0.85, "page": 1.2}  # inches of height
NAME_LENGTH = {"column": 20, "page": 22}
SLOT = 9  # names that have room in a free place of the grid
BAND = 0.16  # opacity
THIN = {"linewidth": 0.9, "markersize": 2.4}  # in small panels


class Line(NamedTuple):
    """A network's top-1 errors in percent: corruption -> severities 1 to 5, None where a cell was not measured.

    low, high: ends of the 95 % interval of each, of the same shape; empty, or None within, where there is none.
    """

    name: str
    errors: Errors
    low: Errors = NONE
    high: Errors = NONE


@styled
def draw_curves(lines: Sequence[Line], *, width: Width = "page") -> Figure:
    """A panel a corruption, in the order and the groups of the field: x severity, y error, a line a network with its
    band. Panels of one row have the same axis. The first eight networks given have colours; the others are grey lines
    without band behind them.

    Raises NothingToEvaluateError where no line has an error.
    """
    lines = measured(lines)
    rows = placed(_corruptions(lines))
    handles, shown = _legend(lines, NAME_LENGTH[width])
    in_slot = width == "page" and len(shown) <= SLOT and any(None in places for places in rows)
    above = 0 if in_slot else legend_height(width, shown)
    figure = new_figure(width, 0.3 + above + PANEL[width] * len(rows))
    axes = figure.subplots(len(rows), len(rows[0]), sharex=True, sharey="row", squeeze=False)
    free = []
    for row, places in enumerate(rows):
        names = [name for name in places if name is not None]
        for panel, corruption in zip(axes[row], places, strict=True):
            if corruption is None:
                panel.set_axis_off()
                free.append(panel)
            else:
                _draw_panel(panel, corruption, lines)
        set_limits(axes[row, 0], lines, names)
        groups = {group_of(name) for name in names}
        if len(groups) == 1:
            axes[row, 0].set_ylabel(groups.pop().capitalize(), color=FAINT)
    for column in range(len(rows[0])):  # severities are written below the last panel of each column
        last = max(row for row, places in enumerate(rows) if places[column] is not None)
        axes[last, column].tick_params(labelbottom=True)
    figure.supxlabel("Severity")
    figure.supylabel("Top-1 error, %")
    if in_slot:
        free[0].legend(handles, shown, loc="center left").set_in_layout(False)
    else:
        add_legend(figure, handles, shown)
    return figure


def describe_curves(lines: Sequence[Line]) -> str:
    """What `draw_curves` shows, in words."""
    lines = measured(lines)
    parts = []
    for line in lines[:TOLD_APART]:
        by_severity = present(_mean_by_severity(line))
        parts.append(f"{plain(line.name)} from {by_severity[0]:.1f} to {by_severity[-1]:.1f} %")
    text = (
        f"Top-1 error of {counted(len(lines), 'network')} against severity, in "
        f"{counted(len(_corruptions(lines)), 'panel')}, one for each corruption. Mean over the corruptions, from the "
        f"lowest to the highest severity: {'; '.join(parts)}."
    )
    if len(lines) > TOLD_APART:
        rest = [whole for line in lines[TOLD_APART:] for whole in present([mean(_mean_by_severity(line))])]
        text += f" {counted(len(rest), 'other')} in grey, with mean errors from {min(rest):.1f} to {max(rest):.1f} %."
    return text


def measured(lines: Sequence[Line]) -> list[Line]:
    """Those with an error; NothingToEvaluateError where there is none."""
    found = [line for line in lines if any(present(row) for row in line.errors.values())]
    if not found:
        raise NothingToEvaluateError("no curve to draw: none of the networks has an error of a corruption")
    return found


def draw_line(panel: Axes, line: Line, corruption: str, look: Look | None, gid: str, **style: Any) -> None:
    """One line with its band. look: None for one in the background, without band."""
    errors = array(line.errors[corruption])
    severities = np.array(SEVERITIES[: len(errors)])
    if look is None:
        alone = np.isfinite(errors).sum() == 1  # a single point has no line
        panel.plot(severities, errors, color=REST, linewidth=0.7, marker="." if alone else "", gid=gid)
        return
    if corruption in line.low and corruption in line.high:
        low, high = array(line.low[corruption]), array(line.high[corruption])
        known = np.isfinite(low) & np.isfinite(high)
        if known.any():
            panel.fill_between(severities, low, high, where=known, color=look.colour, alpha=BAND, linewidth=0)
    dashes: Any = look.linestyle
    panel.plot(severities, errors, color=look.colour, linestyle=dashes, marker=look.marker, gid=gid, **style)


def set_limits(panel: Axes, lines: Sequence[Line], corruptions: Sequence[str]) -> None:
    """So that all errors and bands are seen, from zero where that costs less than a third of the height."""
    values = present(
        value
        for line in lines
        for rows in (line.errors, line.low, line.high)
        for name in corruptions
        for value in rows.get(name, ())
    )
    low, high = min(values), max(values)
    pad = 0.06 * max(high - low, 1.0)
    panel.set_ylim(low - pad if low - pad > high / 3 else 0, high + pad)
    panel.set_xlim(0.75, 5.25)
    panel.set_xticks(SEVERITIES)


def values_of(row: Sequence[float | None]) -> str:
    """Such as "12.0, 15.2, –, 20.1, 31.0 % at severities 1 to 5"."""
    return ", ".join("–" if np.isnan(value) else f"{value:.1f}" for value in array(row)) + " % at severities 1 to 5"


def _corruptions(lines: Sequence[Line]) -> list[str]:
    """Those of which any line has an error, in order."""
    return in_order(name for line in lines for name, row in line.errors.items() if present(row))


def _draw_panel(panel: Axes, corruption: str, lines: Sequence[Line]) -> None:
    panel.set_title(label(corruption))
    panel.grid(axis="x", visible=False)
    styles: list[Look | None] = [*looks(min(len(lines), TOLD_APART)), *[None] * max(0, len(lines) - TOLD_APART)]
    for line, look in reversed(list(zip(lines, styles, strict=True))):  # the first one lies on top
        if corruption in line.errors:
            gid = tip(f"{line.name}, {label(corruption)}: {values_of(line.errors[corruption])}")
            draw_line(panel, line, corruption, look, gid, **THIN)


def _legend(lines: Sequence[Line], longest: int) -> tuple[list[Line2D], list[str]]:
    names = short_names([line.name for line in lines[:TOLD_APART]], longest)
    handles = [line_handle(look) for look in looks(len(names))]
    if len(lines) > TOLD_APART:
        names.append(counted(len(lines) - TOLD_APART, "other"))
        handles.append(rest_handle())
    return handles, names


def _mean_by_severity(line: Line) -> list[float | None]:
    rows = [array(row) for row in line.errors.values()]
    return [mean(row[step] for row in rows if len(row) > step) for step in range(len(SEVERITIES))]
