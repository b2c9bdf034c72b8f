"""Reliability diagram: how often a network is right when it is so sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from lst_robust.errors import NothingToEvaluateError
from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.legends import TOLD_APART, add_legend, legend_height, line_handle, rest_handle
from lst_robust.reporting.figures.names import counted, plain, short_names, tip
from lst_robust.reporting.figures.style import new_figure, styled
from lst_robust.reporting.palette import FAINT, REST, Look, looks

LEGEND = "Expected calibration error, %: clean | corrupted"
NAME_LENGTH = {"column": 28, "page": 26}
HEIGHT = {"column": 2.3, "page": 4.6}  # inches, without the legend
FEW = 0.002  # of the images: a bin with fewer is too uncertain to be drawn


@dataclass(frozen=True)
class Bins:
    """Images by confidence, in bins of equal width over (0, 1], as `records.confidence.Calibration` keeps them: how
    many there are, the sum of their confidences, the number classified correctly."""

    count: Sequence[int]
    confidence: Sequence[float]
    correct: Sequence[int]

    def ece(self) -> float:
        """The expected calibration error of these bins, in percent: Σ_b |correct_b - confidence_b| / Σ_b n_b. Over
        several cells this is not the mean of their ECEs, which tables show."""
        return 100 * float(np.abs(np.subtract(self.correct, self.confidence)).sum()) / sum(self.count)


class Calibrated(NamedTuple):
    """A network's bins on the clean images and over all its corrupted cells; None where they are not known."""

    name: str
    clean: Bins | None
    corrupted: Bins | None


@styled
def draw_reliability(networks: Sequence[Calibrated], *, width: Width = "page") -> Figure:
    """Accuracy against confidence, clean and corrupted side by side, with the share of images in each bin below. On
    the diagonal a network is as often right as it is sure; below it, it is too sure. Bins with less than 0.2 % of the
    images are left out above. The first eight networks given have colours.

    Raises NothingToEvaluateError where no network has bins.
    """
    networks = _known(networks)
    handles, texts = _legend(networks, NAME_LENGTH[width])
    figure = new_figure(width, HEIGHT[width] + legend_height(width, texts, LEGEND))
    axes = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3.4, 1))
    cast(ConstrainedLayoutEngine, figure.get_layout_engine()).set(wspace=0.07)
    for column, title in enumerate(("Clean", "Corrupted")):
        upper, lower = axes[:, column]
        upper.set_title(title)
        upper.plot([0, 100], [0, 100], color=FAINT, linewidth=0.7, linestyle=(0, (4, 2)))
        upper.set_xlim(0, 100)
        upper.set_ylim(0, 100)
        styles = looks(min(len(networks), TOLD_APART))
        for index in reversed(range(len(networks))):  # the first one lies on top
            bins = (networks[index].clean, networks[index].corrupted)[column]
            if bins and _images(bins):
                look = styles[index] if index < TOLD_APART else None
                _draw_bins(upper, lower, networks[index].name, bins, look)
                if len(networks) == 1:
                    _draw_gaps(upper, bins)
        lower.set_xlabel("Confidence, %")
        lower.set_xticks([0, 25, 50, 75, 100])
        lower.set_ylim(bottom=0)
    axes[0, 0].set_ylabel("Accuracy, %")
    axes[1, 0].set_ylabel("Images, %")
    add_legend(figure, handles, texts, LEGEND)
    return figure


def describe_reliability(networks: Sequence[Calibrated]) -> str:
    """What `draw_reliability` shows, in words."""
    networks = _known(networks)
    parts = [
        f"{plain(network.name)} {_ece(network.clean)} and {_ece(network.corrupted)}"
        for network in networks[:TOLD_APART]
    ]
    rest = f" {len(networks) - TOLD_APART} further networks are grey." if len(networks) > TOLD_APART else ""
    return (
        f"Accuracy against confidence of {counted(len(networks), 'network')} in "
        f"{_number_of_bins(networks)} bins, clean and corrupted images; below the diagonal a network is too sure of "
        f"itself. Expected calibration error in percent, clean and corrupted: {'; '.join(parts)}.{rest}"
    )


def _known(networks: Sequence[Calibrated]) -> list[Calibrated]:
    found = [network for network in networks if _images(network.clean) or _images(network.corrupted)]
    if not found:
        raise NothingToEvaluateError("no reliability diagram to draw: no network has its images by confidence")
    return found


def _images(bins: Bins | None) -> int:
    return sum(bins.count) if bins else 0


def _enough(bins: Bins) -> np.ndarray:
    """Which bins are drawn: bool (bins,)."""
    count = np.array(bins.count)
    return (count > 0) & (count >= FEW * count.sum())


def _draw_bins(upper: Axes, lower: Axes, name: str, bins: Bins, look: Look | None) -> None:
    """look: None for a network in the background."""
    count = np.array(bins.count, dtype=np.float64)
    share = 100 * count / count.sum()
    drawn = _enough(bins)
    confidence = 100 * np.array(bins.confidence)[drawn] / count[drawn]
    accuracy = 100 * np.array(bins.correct)[drawn] / count[drawn]
    edges = np.linspace(0, 100, len(count) + 1)
    gid = tip(f"{name}: expected calibration error {bins.ece():.2f} %")
    if look is None:
        upper.plot(confidence, accuracy, color=REST, linewidth=0.7, gid=gid)
        lower.stairs(share, edges, color=REST, linewidth=0.7)
        return
    style: Any = look.linestyle
    upper.plot(confidence, accuracy, color=look.colour, linestyle=style, marker=look.marker, gid=gid)
    lower.stairs(share, edges, color=look.colour, linestyle=style, linewidth=0.9)


def _draw_gaps(upper: Axes, bins: Bins) -> None:
    """Of a single network: from each point to the diagonal, what the calibration error is made of."""
    drawn = _enough(bins)
    count = np.array(bins.count)[drawn]
    confidence, accuracy = 100 * np.array(bins.confidence)[drawn] / count, 100 * np.array(bins.correct)[drawn] / count
    for x, y in zip(confidence, accuracy, strict=True):
        upper.plot([x, x], [x, y], color=FAINT, linewidth=0.8, zorder=1.8)


def _legend(networks: Sequence[Calibrated], longest: int) -> tuple[list[Line2D], list[str]]:
    """A line a network with both of its errors."""
    told_apart = networks[:TOLD_APART]
    names = short_names([network.name for network in told_apart], longest)
    handles = [line_handle(look) for look in looks(len(told_apart))]
    texts = [
        f"{name}: {_ece(network.clean)} | {_ece(network.corrupted)}"
        for name, network in zip(names, told_apart, strict=True)
    ]
    if len(networks) > TOLD_APART:
        texts.append(counted(len(networks) - TOLD_APART, "other"))
        handles.append(rest_handle())
    return handles, texts


def _ece(bins: Bins | None) -> str:
    return f"{bins.ece():.1f}" if bins and _images(bins) else "–"


def _number_of_bins(networks: Sequence[Calibrated]) -> int:
    return max(len(bins.count) for network in networks for bins in (network.clean, network.corrupted) if bins)
