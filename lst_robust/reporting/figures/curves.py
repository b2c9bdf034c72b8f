"""Severity curves: how the error of each network grows with the severity of each corruption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lst_robust.benchmark import SEVERITIES
from lst_robust.errors import NothingToEvaluateError
from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.names import plain, short_names, tip
from lst_robust.reporting.figures.numbers import array, mean, present
from lst_robust.reporting.figures.palette import FAINT, REST, Look, looks
from lst_robust.reporting.figures.panels import group_of_corruption, grouped, in_order, label, placed
from lst_robust.reporting.figures.style import new_figure, styled

Errors = Mapping[str, Sequence[float | None]]
NONE: Errors = MappingProxyType({})
TOLD_APART = 8  # lines in one panel that a reader can tell apart; further ones are grey
PANEL = {"column": 0.78, "page": 1.08}  # inches of height
NAME_LENGTH = 24
BAND = 0.16  # opacity


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
    band. The first eight networks given have colours; the others are grey lines without band behind them.

    Raises NothingToEvaluateError where no line has an error.
    """
    lines = _measured(lines)
    rows = placed(in_order(name for line in lines for name in line.errors))
    figure = new_figure(width, 0.75 + PANEL[width] * len(rows))
    axes = figure.subplots(len(rows), len(rows[0]), sharex=True, sharey=True, squeeze=False)
    free = []
    for row, places in enumerate(rows):
        for column, corruption in enumerate(places):
            panel = axes[row, column]
            if corruption is None:
                panel.set_axis_off()
                free.append(panel)
                if row:
                    axes[row - 1, column].tick_params(labelbottom=True)
            else:
                _draw_panel(panel, corruption, lines)
        group = {group_of_corruption(name) for name in places if name is not None}
        if len(group) == 1:
            axes[row, 0].set_ylabel(group.pop().capitalize(), color=FAINT)
    _set_limits(axes[0, 0], lines)
    figure.supxlabel("Severity")
    figure.supylabel("Top-1 error (%)")
    _add_legend(figure, lines, free[0] if free and width == "page" else None)
    return figure


def describe_curves(lines: Sequence[Line]) -> str:
    """What `draw_curves` shows, in words."""
    lines = _measured(lines)
    corruptions = in_order(name for line in lines for name in line.errors)
    means = {index: _mean_by_severity(line) for index, line in enumerate(lines)}
    text = (
        f"Top-1 error of {_counted(len(lines), 'network')} against severity 1 to 5, "
        f"{_counted(len(corruptions), 'panel')}, one for each corruption."
    )
    parts = []
    for index, line in enumerate(lines[:TOLD_APART]):
        ends = present([means[index][0], means[index][-1]])
        if len(ends) == 2:
            parts.append(f"{plain(line.name)} from {ends[0]:.1f} to {ends[1]:.1f} %")
        elif (whole := mean(means[index])) is not None:
            parts.append(f"{plain(line.name)} {whole:.1f} % over the measured severities")
    text += f" Mean over the corruptions, from severity 1 to 5: {'; '.join(parts)}."
    if len(lines) > TOLD_APART:
        rest = [whole for index in range(TOLD_APART, len(lines)) for whole in present([mean(means[index])])]
        text += (
            f" The other {len(lines) - TOLD_APART} networks are grey, with mean errors from {min(rest):.1f} to "
            f"{max(rest):.1f} %."
        )
    return text


@styled
def draw_network_curves(line: Line, *, clean_error: float | None = None, width: Width = "page") -> Figure:
    """One network: a panel a group of corruptions, in it a line a corruption with its band and its name. A dashed line
    is the clean error, in percent.

    Raises NothingToEvaluateError where the line has no error.
    """
    _measured([line])
    groups = {
        group: [name for name in names if present(line.errors[name])] for group, names in grouped(line.errors).items()
    }
    groups = {group: names for group, names in groups.items() if names}
    columns = min({"column": 2, "page": 3}[width], len(groups))
    rows = -(-len(groups) // columns)
    figure = new_figure(width, 0.45 + {"column": 1.45, "page": 1.75}[width] * rows)
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for panel, (group, names) in zip(axes.flat, groups.items(), strict=False):
        panel.set_title(group.capitalize())
        panel.set_xticks(SEVERITIES)
        panel.set_xlim(0.8, 5.2)
        if clean_error is not None:
            panel.axhline(clean_error, color=FAINT, linewidth=0.8, linestyle=(0, (4, 2)), gid=tip(f"clean error {clean_error:.2f} %"))
        for name, look in zip(names, looks(len(names)), strict=True):
            _draw_line(panel, line, name, look, tip(f"{label(name)}: {_values(line.errors[name])}"))
        handles = [_handle(look) for look in looks(len(names))]
        panel.legend(handles, [label(name) for name in names], loc="upper left")
    for panel in axes.flat[len(groups) :]:
        panel.set_axis_off()
    _set_limits(axes[0, 0], [line])
    figure.supxlabel("Severity")
    figure.supylabel("Top-1 error (%)")
    return figure


def describe_network_curves(line: Line, *, clean_error: float | None = None) -> str:
    """What `draw_network_curves` shows, in words."""
    _measured([line])
    means = {name: value for name in in_order(line.errors) if (value := mean(line.errors[name])) is not None}
    best, worst = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    clean = "" if clean_error is None else f" The clean error is {clean_error:.1f} %."
    return (
        f"Top-1 error of {plain(line.name)} on {_counted(len(means), 'corruption')} against severity 1 to 5.{clean} "
        f"Means over the severities go from {means[best]:.1f} % ({label(best)}) to {means[worst]:.1f} % "
        f"({label(worst)})."
    )


def _measured(lines: Sequence[Line]) -> list[Line]:
    found = [line for line in lines if any(present(row) for row in line.errors.values())]
    if not found:
        raise NothingToEvaluateError("no curve to draw: none of the networks has an error of a corruption")
    return found


def _draw_panel(panel: Axes, corruption: str, lines: Sequence[Line]) -> None:
    panel.set_title(label(corruption))
    for line in reversed(lines[TOLD_APART:]):
        if corruption in line.errors:
            _draw_line(panel, line, corruption, None, _tip(line, corruption))
    told_apart = list(zip(lines, looks(min(len(lines), TOLD_APART)), strict=False))
    for line, look in reversed(told_apart):  # the first one lies on top
        if corruption in line.errors:
            _draw_line(panel, line, corruption, look, _tip(line, corruption))


def _draw_line(panel: Axes, line: Line, corruption: str, look: Look | None, gid: str) -> None:
    """look: None for a line in the background, without band."""
    x, y = np.array(SEVERITIES), array(line.errors[corruption])
    if look is None:
        alone = np.isfinite(y).sum() == 1
        panel.plot(x, y, color=REST, linewidth=0.7, marker="." if alone else "", gid=gid)
        return
    if corruption in line.low and corruption in line.high:
        low, high = array(line.low[corruption]), array(line.high[corruption])
        known = np.isfinite(low) & np.isfinite(high)
        if known.any():
            panel.fill_between(x, low, high, where=known, color=look.colour, alpha=BAND, linewidth=0)
    style: Any = look.linestyle
    panel.plot(x, y, color=look.colour, linestyle=style, marker=look.marker, gid=gid)


def _set_limits(panel: Axes, lines: Sequence[Line]) -> None:
    """From zero, so that heights are errors; not above 100 % by more than a marker."""
    values = present(
        value for line in lines for rows in (line.errors, line.high) for row in rows.values() for value in row
    )
    panel.set_ylim(0, min(102, max(1, 1.06 * max(values))))
    panel.set_xlim(0.8, 5.2)
    panel.set_xticks(SEVERITIES)


def _handle(look: Look) -> Line2D:
    style: Any = look.linestyle
    return Line2D([], [], color=look.colour, linestyle=style, marker=look.marker)


def _add_legend(figure: Figure, lines: Sequence[Line], free: Axes | None) -> None:
    """In a free place of the grid where it fits, otherwise below."""
    names = short_names([line.name for line in lines[:TOLD_APART]], NAME_LENGTH)
    handles = [_handle(look) for look in looks(len(names))]
    if len(lines) > TOLD_APART:
        names.append(f"{len(lines) - TOLD_APART} others")
        handles.append(Line2D([], [], color=REST, linewidth=0.7))
    if free is not None and len(names) <= 7 and max(map(len, names)) <= 20:
        free.legend(handles, names, loc="center left").set_in_layout(False)
        return
    room = {True: 48, False: 96}[figure.get_figwidth() < 5]
    columns = max(1, min(len(names), room // (max(map(len, names)) + 7)))
    figure.legend(handles, names, loc="outside lower center", ncols=columns)


def _tip(line: Line, corruption: str) -> str:
    return tip(f"{line.name}, {label(corruption)}: {_values(line.errors[corruption])}")


def _values(row: Sequence[float | None]) -> str:
    return ", ".join("–" if np.isnan(value) else f"{value:.1f}" for value in array(row)) + " % at severities 1 to 5"


def _mean_by_severity(line: Line) -> list[float | None]:
    rows = [array(row) for row in line.errors.values()]
    return [mean(row[step] for row in rows if len(row) > step) for step in range(len(SEVERITIES))]


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"



