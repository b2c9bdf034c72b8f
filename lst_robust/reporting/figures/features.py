"""Features inside of networks: 16 channels of a layer as columns (the LST-Net paper's Figure 2), sparsity by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lst_robust.analysis.features import CORRUPTED, FeatureStatistics, Picture
from lst_robust.benchmark import CLEAN
from lst_robust.errors import NothingToEvaluateError, UsageError
from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.cells import colour_scale
from lst_robust.reporting.figures.names import plain, short_names, tip
from lst_robust.reporting.figures.numbers import array, present
from lst_robust.reporting.figures.style import new_figure, styled
from lst_robust.reporting.palette import FAINT, INK, Look, looks

CLIP = 0.1  # of the amplitude, in the paper's figure
MOST_PICTURES = {"column": 3, "page": 6}
NAME_LENGTH = {"column": 14, "page": 22}
BAND = 0.18  # opacity
NORMAL = 1 - math.sqrt(2 / math.pi)
"""Hoyer sparsity of very many independent normal values."""


class Columns(NamedTuple):
    """One network's channels for one image. name: of the network."""

    name: str
    picture: Picture


class LayerLine(NamedTuple):
    """A network's mean score in each layer, in the order of the computation; low, high: ends of 95 % intervals, None
    where there is none. corrupted: the same for corrupted images, or empty."""

    name: str
    clean: Sequence[float]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    corrupted: Sequence[float] = ()


def columns_of(statistics: FeatureStatistics) -> list[Columns]:
    """The channels of all networks for the first image."""
    return [Columns(one.label, one.picture) for one in statistics.networks if one.picture is not None]


def lines_of(statistics: FeatureStatistics, measure: str) -> list[LayerLine]:
    """A line a network, of one measure. The corrupted one is the mean of all corrupted cells."""
    table = statistics.table()
    table = table[(table["measure"] == measure) & table["number"].notna()]
    names = [cell.name for cell in statistics.cells[1:]]
    corrupted = CORRUPTED if len(names) > 1 else (names or [CORRUPTED])[0]
    lines = []
    for network in statistics.networks:
        own = table[table["network"] == network.label]
        clean, other = own[own["cell"] == CLEAN], own[own["cell"] == corrupted]
        low, high = clean["low"].tolist(), clean["high"].tolist()
        lines.append(LayerLine(network.label, clean["mean"].tolist(), low, high, other["mean"].tolist()))
    return lines


@styled
def draw_columns(networks: Sequence[Columns], *, width: Width = "page") -> Figure:
    """A column of pixels a channel, a panel a network. Above the amplitudes |x| are clipped at 0.1, as in the paper;
    below they are over the layer's RMS and clipped at 1, so that a layer's scale plays no part.

    Of an LST-Net the bands of one feature stand side by side, between white lines. NothingToEvaluateError where there
    is no network, UsageError for more than a page has room for.
    """
    _require(networks, MOST_PICTURES[width])
    figure = new_figure(width, 4.2)
    axes = figure.subplots(2, len(networks), squeeze=False)
    narrow = len(networks) > MOST_PICTURES[width] // 2
    names = short_names([network.name for network in networks], 18 if narrow else NAME_LENGTH[width])
    scales = (colour_scale(0, CLIP), colour_scale(0, 1))
    for column, ((name, picture), short) in enumerate(zip(networks, names, strict=True)):
        factors = (1.0, 1 / picture.rms if picture.rms else 1.0)
        for row, (scale, factor) in enumerate(zip(scales, factors, strict=True)):
            gid = tip(f"{name}, {picture.layer}")
            _draw_channels(axes[row, column], picture, np.abs(picture.columns) * factor, scale, gid, labelled=row == 1)
        below = f"{100 * picture.small:.0f} % < {picture.threshold:g}"
        axes[0, column].set_title(f"{short}\n{below}{chr(10) if narrow else ', '}RMS {picture.rms:.2f}", color=INK)
        axes[1, column].set_title(f"Hoyer {picture.hoyer:.2f}", color=INK)
    for row, (scale, label) in enumerate(zip(scales, ("|x|, clipped at 0.1", "|x| / RMS, clipped at 1"), strict=True)):
        key = figure.colorbar(
            scale, ax=list(axes[row]), location="right", fraction=0.04, pad=0.01, aspect=24, label=label
        )
        key.outline.set_visible(False)
        axes[row, 0].set_ylabel("position in the map")
    return figure


def describe_columns(networks: Sequence[Columns]) -> str:
    """What `draw_columns` shows, in words."""
    _require(networks, len(networks))
    parts = [
        f"{plain(name)}, layer {plain(picture.layer)}: {100 * picture.small:.0f} % of values below "
        f"{picture.threshold:g}, RMS {picture.rms:.3f}, Hoyer sparsity {picture.hoyer:.3f}"
        for name, picture in networks
    ]
    return f"Amplitudes of up to 16 channels of one layer for one clean image, a column a channel. {'; '.join(parts)}."


def _draw_channels(
    axes: Axes, picture: Picture, amplitudes: np.ndarray, scale: ScalarMappable, gid: str, *, labelled: bool
) -> None:
    count = amplitudes.shape[1]
    axes.grid(False)
    low, high = scale.get_clim()
    image = axes.imshow(amplitudes, aspect="auto", cmap=scale.get_cmap(), vmin=low, vmax=high, interpolation="nearest")
    image.set_gid(gid)
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    if picture.bands:
        for edge in range(picture.bands, count, picture.bands):
            axes.axvline(edge - 0.5, color="white", linewidth=1.2)
        middles = [start + (picture.bands - 1) / 2 for start in range(0, count, picture.bands)]
        axes.set_xticks(middles, [str(number) for number in range(1, len(middles) + 1)])
        label = f"features, {picture.bands} bands"
    else:
        axes.set_xticks([0, count - 1], ["1", str(count)])
        label = "channel"
    axes.tick_params(length=0, labelbottom=labelled)
    if labelled:
        axes.set_xlabel(label)


@styled
def draw_layers(panels: Sequence[tuple[str, Sequence[LayerLine]]], *, width: Width = "page") -> Figure:
    """Scores by layer, a panel a measure: (what is on the axis, lines). A line a network with its band; dashed: the
    same on corrupted images. Of Hoyer sparsity the value of normal noise is marked.

    Raises NothingToEvaluateError where there is no line.
    """
    lines = [line for _, found in panels for line in found if present(line.clean)]
    if not lines:
        raise NothingToEvaluateError("no figure to draw: no network has scores of its layers")
    names = list(dict.fromkeys(line.name for line in lines))
    look = dict(zip(names, looks(len(names)), strict=True))
    figure = new_figure(width, 2.6 + 0.16 * math.ceil(len(names) / 4))
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for panel, (label, found) in zip(axes, panels, strict=True):
        for line in found:
            _draw_line(panel, line, look[line.name])
        longest = max(len(line.clean) for line in found)
        panel.set_xticks(
            sorted({1, *range(3, longest + 1, 3 if longest < 40 else 10)} if longest > 3 else range(1, longest + 1))
        )
        panel.set_xlabel("Layer")
        panel.set_ylabel(label)
        if not label.startswith("Hoyer"):
            panel.set_ylim(0, None)
        else:
            panel.axhline(NORMAL, color=FAINT, linewidth=0.8, linestyle=(0, (1, 2)))
            panel.annotate(
                "normal noise", (1, NORMAL), (0, -2), xycoords=("axes fraction", "data"), textcoords="offset points",
                color=FAINT, size=6.5, ha="right", va="top",
            )  # fmt: skip
    handles = [Line2D([], [], color=one.colour, marker=one.marker, markersize=3) for one in look.values()]
    texts = short_names(names, NAME_LENGTH[width])
    if any(line.corrupted for line in lines):
        hollow: dict[str, Any] = {"marker": "o", "markersize": 3, "markerfacecolor": "none"}
        single = hollow if all(len(line.clean) == 1 for line in lines) else {}
        handles.append(Line2D([], [], color=FAINT, linewidth=0.9, linestyle=(0, (3, 1.5)), **single))
        texts.append("corrupted")
    rows = math.ceil(len(texts) / (6 if width == "page" else 3))
    figure.legend(handles, texts, loc="outside upper left", ncols=math.ceil(len(texts) / rows))
    return figure


def sparsity_panels(statistics: FeatureStatistics) -> list[tuple[str, list[LayerLine]]]:
    """What `draw_layers` shows of a measurement: a measure that does not depend on the layers' scale, one that does."""
    return [
        ("Hoyer sparsity (scale-free)", lines_of(statistics, "hoyer")),
        (f"Share of |x| < {statistics.threshold:g} (depends on scale)", lines_of(statistics, "small")),
    ]


def describe_layers(panels: Sequence[tuple[str, Sequence[LayerLine]]]) -> str:
    """What `draw_layers` shows, in words."""
    parts = []
    for label, lines in panels:
        means = [
            f"{plain(line.name)} {np.mean(line.clean):.3f}"
            + (f" clean and {np.mean(line.corrupted):.3f} corrupted" if line.corrupted else "")
            for line in lines
            if line.clean
        ]
        parts.append(f"{plain(label)}, mean of the layers: {', '.join(means) or 'none'}")
    return f"Scores of each layer, a line a network. {'; '.join(parts)}."


def _draw_line(axes: Axes, line: LayerLine, look: Look) -> None:
    numbers = np.arange(1, len(line.clean) + 1)
    gid = tip(f"{line.name}: {', '.join(f'{value:.3f}' for value in line.clean)}")
    axes.plot(numbers, line.clean, color=look.colour, marker=look.marker, gid=gid)
    if line.low and len(present((*line.low, *line.high))) == len((*line.low, *line.high)):
        axes.fill_between(numbers, array(line.low), array(line.high), color=look.colour, alpha=BAND, linewidth=0)
    if line.corrupted:
        alone: dict[str, Any] = {"marker": look.marker, "markerfacecolor": "none"} if len(numbers) == 1 else {}
        axes.plot(numbers, line.corrupted, color=look.colour, linewidth=0.9, linestyle=(0, (3, 1.5)), **alone)


def _require(networks: Sequence[Columns], most: int) -> None:
    if not networks:
        raise NothingToEvaluateError("no figure to draw: no network has features")
    if len(networks) > most:
        raise UsageError(f"a figure of {len(networks)} networks side by side has no room: name at most {most}")
