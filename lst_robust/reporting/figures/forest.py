"""Forest plot: paired differences of networks to one reference network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import CARETLEFT, CARETRIGHT

from lst_robust.analysis.statistics import LEVEL
from lst_robust.errors import NothingToEvaluateError
from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.names import plain, short_names, shortened, tip
from lst_robust.reporting.figures.numbers import both, present
from lst_robust.reporting.figures.style import new_figure, styled
from lst_robust.reporting.palette import FAINT, INK, PAPER, SERIES

ACROSS = {"column": 2, "page": 6}  # panels side by side
MOST = {"column": 4, "page": 12}  # networks that get a panel each
MOST_ROWS = {"column": 4, "page": 6}  # rows that get a panel each, where there are more networks than that
ROW = 0.155  # inches
NAME_LENGTH = {1: 40, 2: 16, 3: 22, 4: 20, 5: 17, 6: 14}  # by panels side by side
BEYOND = 0.6  # of the width that points and intervals over images take: so far those over trainings are shown
STATED = 4  # networks of which the description gives numbers
BETTER, WORSE = SERIES[0], SERIES[1]


class Difference(NamedTuple):
    """One row: a metric or corruption. Network minus reference, in percentage points, with its 95 % interval over
    images; below zero the network is the better one.

    group: under which heading the row stands, such as "Metrics" or "Noise". p: the p-value that decides on the mark,
    Holm-corrected where the row belongs to a family. seeds_low, seeds_high: the 95 % interval over trainings, None
    where there is none. Numbers are None where a cell was not measured.
    """

    label: str
    group: str
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    seeds_low: float | None = None
    seeds_high: float | None = None

    @property
    def significant(self) -> bool:
        return self.p is not None and self.p < LEVEL


class Contrast(NamedTuple):
    """A network's differences to the reference."""

    name: str
    rows: Sequence[Difference]


class _Panel(NamedTuple):
    """title, and the rows with the names that stand beside them and the network and reference that they are about."""

    title: str
    rows: list[tuple[str, Difference, str]]


@styled
def draw_forest(contrasts: Sequence[Contrast], *, reference: str, width: Width = "page") -> Figure:
    """Rows are metrics and corruptions, networks stand side by side. The marker is filled where p < 0.05. A thinner
    line is the interval over trainings; it ends in an arrow where it goes on beyond the picture.

    Of more than twelve networks (four in a column of a paper) only the first six (four) rows of the first group are
    shown, such as the metrics: each has a panel then, in which the networks are the rows.

    Raises NothingToEvaluateError where there is no difference.
    """
    contrasts = _measured(contrasts)
    whole = len(contrasts) <= MOST[width]
    panels = _by_network(contrasts) if whole else _by_row(contrasts)[: MOST_ROWS[width]]
    places, headings, total = _positions(_keys(panels))
    columns = min(ACROSS[width], len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(width, 0.75 + rows * (0.35 + ROW * total))
    axes = figure.subplots(rows, columns, sharex=whole, sharey=True, squeeze=False)
    for index, panel in enumerate(axes.flat):
        panel.set_visible(index < len(panels))
        if index < len(panels):
            panel.set_title(shortened(panels[index].title, NAME_LENGTH[columns]))
            low, high = _limits(panels if whole else [panels[index]])
            for text, row, network in panels[index].rows:
                _draw_row(
                    panel, row, places[row.group if whole else "", text], (low, high), _tip(network, row, reference)
                )
            panel.set_xlim(low, high)
            _clear(panel)
    for row_of_panels in axes:
        _label_rows(row_of_panels[0], places, headings, total)
    figure.supxlabel(f"Difference to {shortened(reference, 30)}, percentage points\n← better\u2003worse →")
    _add_legend(figure, contrasts)
    return figure


def describe_forest(contrasts: Sequence[Contrast], *, reference: str) -> str:
    """What `draw_forest` shows, in words."""
    contrasts = _measured(contrasts)
    texts = []
    for contrast in contrasts[:STATED]:
        known = [row for row in contrast.rows if present([row.difference])]
        better = sum(row.significant and (row.difference or 0) < 0 for row in known)
        worse = sum(row.significant and (row.difference or 0) > 0 for row in known)
        texts.append(
            f"{plain(contrast.name)} is significantly better in {better} and worse in {worse} of {len(known)} rows, "
            f"{plain(known[0].label)} {_stated(known[0])}"
        )
    rest = f" {len(contrasts) - STATED} further networks are shown." if len(contrasts) > STATED else ""
    return (
        f"Paired differences to {plain(reference)} in percentage points with 95 % intervals, below zero is better than "
        f"{plain(reference)}; filled marks have p < {LEVEL}. {'; '.join(texts)}.{rest}"
    )


def _measured(contrasts: Sequence[Contrast]) -> list[Contrast]:
    found = [contrast for contrast in contrasts if present(row.difference for row in contrast.rows)]
    if not found:
        raise NothingToEvaluateError("no forest plot to draw: no network has a difference to the reference")
    return found


def _by_network(contrasts: Sequence[Contrast]) -> list[_Panel]:
    return [
        _Panel(contrast.name, [(row.label, row, contrast.name) for row in contrast.rows if present([row.difference])])
        for contrast in contrasts
    ]


def _by_row(contrasts: Sequence[Contrast]) -> list[_Panel]:
    """A panel for each row of the first group."""
    first = contrasts[0].rows[0].group
    labels = list(dict.fromkeys(row.label for contrast in contrasts for row in contrast.rows if row.group == first))
    names = short_names([contrast.name for contrast in contrasts], 18)
    return [
        _Panel(
            label,
            [
                (name, row, contrast.name)
                for name, contrast in zip(names, contrasts, strict=True)
                for row in contrast.rows
                if (row.group, row.label) == (first, label) and present([row.difference])
            ],
        )
        for label in labels
    ]


def _keys(panels: Sequence[_Panel]) -> list[tuple[str, str]]:
    """(group, text) of all rows; groups stay together, in the order given. Rows that are networks have no group."""
    rows = [(row.group if text == row.label else "", text) for panel in panels for text, row, _ in panel.rows]
    groups = list(dict.fromkeys(group for group, _ in rows))
    return sorted(dict.fromkeys(rows), key=lambda key: groups.index(key[0]))


def _limits(panels: Sequence[_Panel]) -> tuple[float, float]:
    """All points and intervals over images, zero, and of the intervals over trainings what leaves these readable."""
    rows = [row for panel in panels for _, row, _ in panel.rows]
    near = [0.0, *present(value for row in rows for value in (row.difference, row.low, row.high))]
    far = present(value for row in rows for value in (row.seeds_low, row.seeds_high))
    low, high = min(near), max(near)
    reach = BEYOND * ((high - low) or 1.0)
    pad = 0.08 * ((high - low) or 1.0)
    return max(low - reach, min([low, *far])) - pad, min(high + reach, max([high, *far])) + pad


def _positions(keys: Sequence[tuple[str, str]]) -> tuple[dict[tuple[str, str], float], dict[str, float], float]:
    """Where rows and headings stand, in rows from above, and how many rows that makes."""
    places: dict[tuple[str, str], float] = {}
    headings: dict[str, float] = {}
    at = 0.0
    for key in keys:
        if key[0] and key[0] not in headings:
            at += 0.25 if headings else 0.0
            headings[key[0]] = at
            at += 1
        places[key] = at
        at += 1
    return places, headings, at


def _draw_row(panel: Axes, row: Difference, y: float, limits: tuple[float, float], gid: str) -> None:
    if not (place := present([row.difference])):
        return
    colour = INK if not row.significant else BETTER if place[0] < 0 else WORSE
    if trainings := both(row.seeds_low, row.seeds_high):
        panel.plot(trainings, [y, y], color=FAINT, linewidth=0.6, marker="|", markersize=3)
        for end, limit, caret in ((trainings[0], limits[0], CARETLEFT), (trainings[1], limits[1], CARETRIGHT)):
            if not limits[0] <= end <= limits[1]:
                panel.plot([limit], [y], marker=caret, color=FAINT, markersize=3, linestyle="", clip_on=False)
    if images := both(row.low, row.high):
        panel.plot(images, [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
    face = colour if row.significant else PAPER
    panel.plot(
        place, [y], marker="o", markersize=3.4, markerfacecolor=face, markeredgecolor=colour,
        markeredgewidth=0.9, linestyle="", gid=gid,
    )  # fmt: skip


def _clear(panel: Axes) -> None:
    """Zero is the only line from top to bottom that matters."""
    panel.axvline(0, color=INK, linewidth=0.7, zorder=1.2)
    panel.grid(axis="y", visible=False)
    panel.tick_params(axis="y", length=0)
    panel.tick_params(axis="x", labelbottom=True)
    panel.spines["left"].set_visible(False)


def _label_rows(panel: Axes, places: dict[tuple[str, str], float], headings: dict[str, float], total: float) -> None:
    """Names of rows and, in another colour, headings, beside the first panel of a row."""
    rows = [(y, plain(label), False) for (_, label), y in places.items()]
    ticks = sorted([*rows, *((y, plain(group), True) for group, y in headings.items())])
    panel.set_yticks([y for y, _, _ in ticks], [text for _, text, _ in ticks])
    for tick, (_, _, heading) in zip(panel.yaxis.get_major_ticks(), ticks, strict=True):
        if heading:
            tick.label1.set_color(FAINT)
            tick.label1.set_fontweight("bold")
    panel.set_ylim(total - 0.4, -0.6)


def _add_legend(figure: Figure, contrasts: Sequence[Contrast]) -> None:
    def mark(face: str) -> Line2D:
        return Line2D([], [], color=INK, marker="o", markersize=4, markerfacecolor=face, linewidth=1.6)

    handles, texts = [mark(INK), mark(PAPER)], [f"p < {LEVEL}", f"p ≥ {LEVEL}"]
    if any(both(row.seeds_low, row.seeds_high) for contrast in contrasts for row in contrast.rows):
        handles.append(Line2D([], [], color=FAINT, linewidth=0.6, marker="|", markersize=3))
        texts.append("over trainings")
    figure.legend(handles, texts, loc="outside upper center", ncols=len(texts))


def _stated(row: Difference) -> str:
    number = f"{row.difference:+.2f}"
    if ends := both(row.low, row.high):
        number += f" [{ends[0]:+.2f}, {ends[1]:+.2f}]"
    return number


def _tip(network: str, row: Difference, reference: str) -> str:
    p = "" if row.p is None else f", p = {row.p:.4f}"
    number = _stated(row) if present([row.difference]) else "not measured"
    return tip(f"{network} - {reference}, {row.label}: {number} percentage points{p}")
