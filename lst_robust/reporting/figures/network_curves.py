"""Severity curves of one network: a panel a group of corruptions."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lst_robust.benchmark import SEVERITIES
from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.curves import Line, draw_line, measured, set_limits, values_of
from lst_robust.reporting.figures.labels import spread_apart
from lst_robust.reporting.figures.names import counted, plain, tip
from lst_robust.reporting.figures.numbers import array, mean, present
from lst_robust.reporting.figures.panels import grouped, in_order, label
from lst_robust.reporting.figures.style import new_figure, styled
from lst_robust.reporting.palette import FAINT, looks

COLUMNS = {"column": 2, "page": 3}
PANEL = {"column": 1.35, "page": 1.6}  # inches of height
ROOM = {"column": 8.6, "page": 7.7}  # where the axis of severities ends, so that names have room beside the lines
LETTERS = 8.5  # points from one name to the next


@styled
def draw_network_curves(line: Line, *, clean_error: float | None = None, width: Width = "page") -> Figure:
    """One network: a panel a group of corruptions, in it a line a corruption with its band and its name. A dashed line
    is the clean error, in percent.

    Raises NothingToEvaluateError where the line has no error.
    """
    measured([line])
    shown = grouped(name for name, row in line.errors.items() if present(row))
    columns = min(COLUMNS[width], len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(width, 0.4 + PANEL[width] * rows)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    set_limits(axes[0, 0], [line], [name for names in shown.values() for name in names])
    axes[0, 0].set_ylim(bottom=0)
    axes[0, 0].set_xlim(0.75, ROOM[width])
    for panel, (group, names) in zip(axes.flat, shown.items(), strict=False):
        panel.set_title(group.capitalize())
        panel.grid(axis="x", visible=False)
        panel.spines["bottom"].set_bounds(0.75, 5.25)
        if clean_error is not None:
            gid = tip(f"clean error: {clean_error:.2f} %")
            panel.plot([0.75, 5.25], [clean_error] * 2, color=FAINT, linewidth=0.8, linestyle=(0, (4, 2)), gid=gid)
        for name, look in zip(names, looks(len(names)), strict=True):
            draw_line(panel, line, name, look, tip(f"{label(name)}: {values_of(line.errors[name])}"))
    for index, panel in enumerate(axes.flat):
        panel.set_visible(index < len(shown))
        panel.tick_params(labelbottom=index + columns >= len(shown))
    figure.supxlabel("Severity")
    figure.supylabel("Top-1 error, %")
    figure.draw_without_rendering()
    for panel, names in zip(axes.flat, shown.values(), strict=False):
        _name_lines(figure, panel, line, names, clean_error)
    return figure


def describe_network_curves(line: Line, *, clean_error: float | None = None) -> str:
    """What `draw_network_curves` shows, in words."""
    measured([line])
    means = {name: value for name in in_order(line.errors) if (value := mean(line.errors[name])) is not None}
    best, worst = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    clean = "" if clean_error is None else f" The dashed line is the clean error, {clean_error:.1f} %."
    return (
        f"Top-1 error of {plain(line.name)} on {counted(len(means), 'corruption')} against severity 1 to 5, in a panel "
        f"for each group.{clean} Means over the severities go from {means[best]:.1f} % ({label(best)}) to "
        f"{means[worst]:.1f} % ({label(worst)})."
    )


def _name_lines(figure: Figure, panel: Axes, line: Line, names: list[str], clean_error: float | None) -> None:
    """At the right ends of the lines, moved apart where these lie close together."""
    ends = [
        (label(name), present(array(line.errors[name]))[-1], look.colour)
        for name, look in zip(names, looks(len(names)), strict=True)
    ]
    if clean_error is not None:
        ends.append(("clean", clean_error, FAINT))
    bottom, top = panel.get_ylim()
    height = panel.get_window_extent().height * 72 / figure.dpi
    unit = (top - bottom) / height
    places = spread_apart([end for _, end, _ in ends], LETTERS * unit, bottom + 3 * unit, top - 3 * unit)
    for (name, end, colour), place in zip(ends, places, strict=True):
        panel.plot([SEVERITIES[-1] + 0.25, 5.6], [end, place], color=colour, linewidth=0.5, scalex=False, scaley=False)
        panel.text(5.7, place, name, color=colour, size=7, va="center_baseline")
