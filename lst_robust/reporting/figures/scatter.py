"""Clean error against corruption error, and how far networks lie from the line of published ones."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Affine2D, Transform

from lst_robust.errors import NothingToEvaluateError
from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.labels import Box, place_labels, room_for_all
from lst_robust.reporting.figures.legends import add_legend, legend_height
from lst_robust.reporting.figures.names import counted, plain, short_names, tip
from lst_robust.reporting.figures.numbers import both
from lst_robust.reporting.figures.style import new_figure, styled
from lst_robust.reporting.palette import FAINT, INK, REST, Look, looks

HEIGHT = {"column": 2.9, "page": 4.0}  # inches
NAME_LENGTH = {"column": 20, "page": 28}
LEGEND_LENGTH: dict[Width, int] = {"column": 34, "page": 90}  # characters of a line
CLOUD: dict[str, Any] = {"marker": "o", "markersize": 2.6, "markeredgewidth": 0, "linestyle": ""}
LEADER = 7  # points between a network and its name from which on a line joins them
MOST_NAMED = {"column": 8, "page": 16}  # networks with names beside their points; more get a legend
NAMED = 3  # networks whose distance from the line is stated in words


class Point(NamedTuple):
    """A network: clean top-1 error and the number beside it (mCE or mean corruption error), in percent, each with the
    ends of its 95 % interval, None where there is none. A point with a missing number is not drawn."""

    name: str
    clean_error: float | None
    value: float | None
    clean_low: float | None = None
    clean_high: float | None = None
    low: float | None = None
    high: float | None = None


class Fit(NamedTuple):
    """The line value = intercept + slope * clean error through n published networks, in percent; r2: its coefficient
    of determination. low, high: the range of their clean errors: outside of it the line says nothing."""

    slope: float
    intercept: float
    n: int
    r2: float
    low: float
    high: float

    def holds(self, clean_error: float) -> bool:
        return self.low <= clean_error <= self.high

    def at(self, clean_error: float) -> float:
        return self.intercept + self.slope * clean_error


class Scatter(NamedTuple):
    """points: the networks measured here. quantity: what their value is, such as "mCE (15)". published: other people's
    networks, without intervals. source: whose they are, such as "imagenet-testbed". fit: None draws no line."""

    points: Sequence[Point]
    quantity: str
    published: Sequence[Point] = ()
    source: str = ""
    fit: Fit | None = None


class _Known(NamedTuple):
    """A point with both numbers, x and y, and its intervals across and up."""

    name: str
    x: float
    y: float
    across: tuple[float, float] | None
    up: tuple[float, float] | None


@styled
def draw_scatter(scatter: Scatter, *, width: Width = "page") -> Figure:
    """The points with intervals and names; published networks are a grey cloud behind, with the line fitted to them.
    The vertical distance from this line is effective robustness (Taori et al., "Measuring Robustness to Natural
    Distribution Shifts in Image Classification", NeurIPS 2020): below it, a network is more robust than its clean error
    predicts.

    Raises NothingToEvaluateError where no point has both numbers.
    """
    points, published = _points(scatter), _known(scatter.published)
    figure = new_figure(width, HEIGHT[width])
    axes = figure.subplots()
    axes.set_xlabel("Clean top-1 error, %")
    axes.set_ylabel(f"{plain(scatter.quantity)}, %")
    for point in published:
        gid = tip(f"{point.name} (published): clean {point.x:.1f} %, {scatter.quantity} {point.y:.1f} %")
        axes.plot([point.x], [point.y], color=REST, alpha=0.6, gid=gid, **CLOUD)
    for point, look in zip(points, looks(len(points)), strict=True):
        _draw_point(axes, point, look, _tip(point, scatter))
    axes.margins(0.07)
    axes.autoscale_view()
    _draw_fit(axes, scatter.fit if published else None)
    if published:
        _add_legend(axes, scatter, width)
    figure.draw_without_rendering()
    if len(points) <= MOST_NAMED[width] and _add_names(figure, axes, points, NAME_LENGTH[width]):
        return figure
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, markersize=4.2, linestyle="")
        for look in looks(len(points))
    ]
    names = short_names([point.name for point in points], NAME_LENGTH["column"])
    figure.set_figheight(HEIGHT[width] + legend_height(width, names))
    add_legend(figure, handles, names)
    return figure


def describe_scatter(scatter: Scatter) -> str:
    """What `draw_scatter` shows, in words."""
    points, published = _points(scatter), _known(scatter.published)
    quantity = plain(scatter.quantity)
    text = (
        f"Clean top-1 error against {quantity} of {counted(len(points), 'network')}: clean error "
        f"{_range([point.x for point in points])} %, {quantity} {_range([point.y for point in points])} %."
    )
    if not published:
        return text
    text += f" Behind them, {counted(len(published), 'published network')}{_of(scatter.source)}"
    if (fit := scatter.fit) is None:
        return f"{text}."
    text += (
        f" and the line fitted to {fit.n} of them, {quantity} = {fit.intercept:.1f} + {fit.slope:.2f} · clean error "
        f"(R² {fit.r2:.2f})."
    )
    distances = sorted((point.y - fit.at(point.x), point.name) for point in points if fit.holds(point.x))
    outside = [plain(point.name) for point in points if not fit.holds(point.x)]
    beyond = f" Beyond the fitted range: {', '.join(outside[: 2 * NAMED])}." if outside else ""
    if not distances:
        return text + beyond
    stated = distances if len(distances) <= 2 * NAMED else [*distances[:NAMED], *distances[-NAMED:]]
    parts = [f"{plain(name)} {abs(value):.1f} points {'below' if value < 0 else 'above'}" for value, name in stated]
    whose = "" if len(stated) == len(distances) else f" (lowest {NAMED} and highest {NAMED})"
    return (
        f"{text} Distances from the line{whose}, where below is more robust than the clean error predicts: "
        f"{'; '.join(parts)}.{beyond}"
    )


def _points(scatter: Scatter) -> list[_Known]:
    found = _known(scatter.points)
    if not found:
        raise NothingToEvaluateError("no scatter to draw: no network has both a clean error and a corruption error")
    return found


def _known(points: Sequence[Point]) -> list[_Known]:
    return [
        _Known(point.name, *numbers, both(point.clean_low, point.clean_high), both(point.low, point.high))
        for point in points
        if (numbers := both(point.clean_error, point.value))
    ]


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.1f}", f"{max(values):.1f}"
    return low if low == high else f"from {low} to {high}"


def _of(source: str) -> str:
    return f" ({plain(source)})" if source else ""


def _tip(point: _Known, scatter: Scatter) -> str:
    text = f"{point.name}: clean {point.x:.2f} %, {scatter.quantity} {point.y:.2f} %"
    if scatter.fit is None or not scatter.published or not scatter.fit.holds(point.x):
        return tip(text)
    return tip(f"{text}, {point.y - scatter.fit.at(point.x):+.2f} points from the line")


def _draw_point(axes: Axes, point: _Known, look: Look, gid: str) -> None:
    style: Any = {"color": look.colour, "linewidth": 0.8, "solid_capstyle": "butt"}
    if point.across:
        axes.plot(point.across, [point.y] * 2, **style)
    if point.up:
        axes.plot([point.x] * 2, point.up, **style)
    axes.plot([point.x], [point.y], marker=look.marker, color=look.colour, markersize=4.2, linestyle="", gid=gid)


def _draw_fit(axes: Axes, fit: Fit | None) -> None:
    """Over the range that it was fitted to. The limits of the axes stay as they are."""
    if fit is not None:
        ends = np.array([fit.low, fit.high])
        axes.plot(ends, fit.intercept + fit.slope * ends, color=FAINT, linewidth=0.9, scalex=False, scaley=False)


def _add_legend(axes: Axes, scatter: Scatter, width: Width) -> None:
    """What the grey cloud and the line are. Below a line that rises, there is room."""
    handles = [Line2D([], [], color=REST, **CLOUD)]
    texts = [f"published{_of(scatter.source)}"]
    if (fit := scatter.fit) is not None:
        handles.append(Line2D([], [], color=FAINT, linewidth=0.9))
        texts.append(f"fit to {fit.n} of them, R² {fit.r2:.2f}")
    axes.legend(handles, [fill(text, LEGEND_LENGTH[width]) for text in texts], loc="lower right")


def _add_names(figure: Figure, axes: Axes, points: Sequence[_Known], longest: int) -> bool:
    """Beside the points, with a thin line where a name could not stand at its point. Whether there was room for all of
    them; otherwise none is written. All is reckoned in points of 1/72 inch."""
    to_points = axes.transData + Affine2D().scale(72 / figure.dpi)
    at = [_pair(to_points.transform((point.x, point.y))) for point in points]
    names = short_names([point.name for point in points], longest)
    texts = [axes.text(0, 0, name, color=INK, size=6.5, ha="center", va="center") for name in names]
    extents = [text.get_window_extent() for text in texts]
    sizes = [(extent.width * 72 / figure.dpi, extent.height * 72 / figure.dpi) for extent in extents]
    frame = Box(*(float(edge) * 72 / figure.dpi for edge in axes.get_window_extent().extents))
    covered = [box for point in points for box in _covered(point, to_points)]
    if legend := axes.get_legend():
        covered.append(Box(*(float(edge) * 72 / figure.dpi for edge in legend.get_window_extent().extents)))
    centres = place_labels(at, sizes, frame, covered)
    if not room_for_all(centres, sizes):
        for text in texts:
            text.remove()
        return False
    for text, (x, y), centre, (width, height) in zip(texts, at, centres, sizes, strict=True):
        text.set_position(_pair(to_points.inverted().transform(centre)))
        nearest = (
            min(max(x, centre[0] - width / 2), centre[0] + width / 2),
            min(max(y, centre[1] - height / 2), centre[1] + height / 2),
        )
        if np.hypot(nearest[0] - x, nearest[1] - y) > LEADER:
            ends = to_points.inverted().transform([(x, y), nearest])
            axes.plot(*ends.T, color=FAINT, linewidth=0.4, zorder=1.8, scalex=False, scaley=False)
    return True


def _covered(point: _Known, to_points: Transform) -> list[Box]:
    """The boxes of its marker and its intervals."""
    x, y = _pair(to_points.transform((point.x, point.y)))
    boxes = [Box(x - 2.5, y - 2.5, x + 2.5, y + 2.5)]
    if point.across:
        (left, _), (right, _) = to_points.transform([(end, point.y) for end in point.across])
        boxes.append(Box(left, y - 0.5, right, y + 0.5))
    if point.up:
        (_, bottom), (_, top) = to_points.transform([(point.x, end) for end in point.up])
        boxes.append(Box(x - 0.5, bottom, x + 0.5, top))
    return boxes


def _pair(values: np.ndarray) -> tuple[float, float]:
    return float(values[0]), float(values[1])
