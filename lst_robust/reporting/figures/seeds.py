"""Strip plot: every training of every network, with the mean and its interval over trainings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import CARETLEFT, CARETRIGHT

from lst_robust.analysis.statistics import Spread, spread
from lst_robust.errors import NothingToEvaluateError
from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.names import counted, plain, short_names, tip
from lst_robust.reporting.figures.numbers import present
from lst_robust.reporting.figures.style import new_figure, styled
from lst_robust.reporting.palette import FAINT, INK, Look, looks

ROW = 0.27  # inches
NAME_LENGTH = {"column": 18, "page": 36}
BEYOND = 1.5  # of the range of the dots: so far an interval is shown on each side; two trainings give one of 13 times
STATED = 8  # networks of which the description gives numbers


class Trainings(NamedTuple):
    """A network's value of one metric, in percent, of each of its trainings (None where it was not measured)."""

    name: str
    values: Sequence[float | None]


@styled
def draw_seeds(trainings: Sequence[Trainings], *, quantity: str, width: Width = "page") -> Figure:
    """A row a network: a dot a training, and below them the mean with its 95 % Student interval (see
    `statistics.spread`), where there are two trainings or more. An interval that goes on beyond the picture ends in an
    arrow. quantity: what is on the axis, such as "mCE (15)".

    Raises NothingToEvaluateError where there is no value.
    """
    trainings = _measured(trainings)
    figure = new_figure(width, 0.65 + ROW * len(trainings))
    axes = figure.subplots()
    values = [value for network in trainings for value in present(network.values)]
    spreads = [spread(present(network.values)) for network in trainings]
    low, high = _limits(values, spreads)
    for row, (network, over) in enumerate(zip(trainings, spreads, strict=True)):
        _draw_network(axes, row, network, over, looks(row + 1)[row], (low, high))
    axes.set_xlim(low, high)
    axes.set_ylim(len(trainings) - 0.5, -0.5)
    axes.set_yticks(range(len(trainings)), short_names([network.name for network in trainings], NAME_LENGTH[width]))
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"{quantity}, %, lower is better")
    handles = [
        Line2D([], [], color=FAINT, marker="o", linestyle="", alpha=0.7),
        Line2D([], [], color=INK, marker="|", markersize=6, markeredgewidth=1.2, linewidth=1),
    ]
    figure.legend(handles, ["a training", "mean, 95 % interval"], loc="outside upper right", ncols=2)
    return figure


def describe_seeds(trainings: Sequence[Trainings], *, quantity: str) -> str:
    """What `draw_seeds` shows, in words."""
    trainings = _measured(trainings)
    parts = []
    for network in trainings[:STATED]:
        values = present(network.values)
        over = spread(values)
        if over is None:
            parts.append(f"{plain(network.name)} {values[0]:.2f} % (one training)")
        else:
            parts.append(
                f"{plain(network.name)} {over.mean:.2f} % [{over.low:.2f}, {over.high:.2f}] (n = {over.n}, standard "
                f"deviation {over.std:.2f})"
            )
    rest = f" {len(trainings) - STATED} further networks are shown." if len(trainings) > STATED else ""
    return (
        f"{quantity} of each training of {counted(len(trainings), 'network')}, a dot a training; means "
        f"with 95 % intervals over trainings: {'; '.join(parts)}.{rest}"
    )


def _measured(trainings: Sequence[Trainings]) -> list[Trainings]:
    found = [network for network in trainings if present(network.values)]
    if not found:
        raise NothingToEvaluateError("no strip plot to draw: no training has a value of this metric")
    return found


def _limits(values: Sequence[float], spreads: Sequence[Spread | None]) -> tuple[float, float]:
    """What the axis shows: all dots, and of the intervals what does not press the dots together."""
    least, most = min(values), max(values)
    reach = (most - least) or max(1.0, abs(most) * 0.05)
    low = max([least - BEYOND * reach, min([least, *(over.low for over in spreads if over)])])
    high = min([most + BEYOND * reach, max([most, *(over.high for over in spreads if over)])])
    pad = 0.06 * (high - low or reach)
    return low - pad, high + pad


def _draw_network(
    axes: Axes, row: int, network: Trainings, over: Spread | None, look: Look, limits: tuple[float, float]
) -> None:
    values = present(network.values)
    above = row - 0.14 if over else row
    for value in values:
        axes.plot(
            [value], [above], marker="o", markersize=4.2, markeredgewidth=0, linestyle="", color=look.colour,
            alpha=0.75, gid=tip(f"{network.name}: {value:.2f} %"),
        )  # fmt: skip
    if over is None:
        return
    y = row + 0.2
    gid = tip(f"{network.name}: mean {over.mean:.2f} % [{over.low:.2f}, {over.high:.2f}], {over.n} trainings")
    axes.plot([over.low, over.high], [y, y], color=look.colour, linewidth=1, solid_capstyle="butt")
    axes.plot([over.mean], [y], marker="|", color=look.colour, markersize=6, markeredgewidth=1.4, linestyle="", gid=gid)
    for end, limit, caret in ((over.low, limits[0], CARETLEFT), (over.high, limits[1], CARETRIGHT)):
        if not limits[0] <= end <= limits[1]:
            axes.plot([limit], [y], marker=caret, color=look.colour, markersize=4, linestyle="", clip_on=False)
