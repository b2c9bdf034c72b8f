"""Reliability diagram: how often a network is right when it is so sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lst_robust.errors import NothingToEvaluateError
from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.legends import TOLD_APART, add_legend, line_handle, rest_handle
from lst_robust.reporting.figures.names import counted, plain, short_names, tip
from lst_robust.reporting.figures.palette import FAINT, REST, Look, looks
from lst_robust.reporting.figures.style import new_figure, styled

NAME_LENGTH = {"column": 14, "page": 26}
HEIGHT = {"column": 2.6, "page": 3.9}  # inches, without the legend
FEW = 0.002  # of the images: a bin with fewer is too uncertain to be drawn


@dataclass(frozen=True)
class Bins:
    """Images by confidence, in bins of equal width over (0, 1], as `records.confidence.Calibration` keeps them: how
    many there are, the sum of their confidences, the number classified correctly.

    ece: the expected calibration error to be stated, in percent. None computes that of these bins; over several cells
    this is not the mean of their ECEs, which tables show.
    """

    count: Sequence[int]
    confidence: Sequence[float]
    correct: Sequence[int]
    ece: float | None = None

    def stated_ece(self) -> float:
        """In percent: Σ_b |correct_b - confidence_b| / Σ_b n_b of these bins, where none is given."""
        if self.ece is not None:
            return self.ece
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
    entries = min(len(networks), TOLD_APART) + (len(networks) > TOLD_APART)
    figure = new_figure(width, HEIGHT[width] + 0.15 * (entries + 1))
    axes = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3.4, 1))
    for column, title in enumerate(("Clean", "Corrupted")):
        upper, lower = axes[:, column]
        upper.set_title(title)
        upper.plot([0, 100], [0, 100], color=FAINT, linewidth=0.7, linestyle=(0, (4, 2)))
        upper.set_xlim(0, 100)
        upper.set_ylim(0, 100)
        upper.set_aspect("equal", adjustable="box", anchor="SW")
        styles = looks(min(len(networks), TOLD_APART))
        for index in reversed(range(len(networks))):  # the first one lies on top
            bins = (networks[index].clean, networks[index].corrupted)[column]
            if bins and _images(bins):
                look = styles[index] if index < TOLD_APART else None
                _draw_bins(upper, lower, networks[index].name, bins, look)
        lower.set_xlabel("Confidence (%)")
        lower.set_xticks([0, 25, 50, 75, 100])
        lower.set_ylim(bottom=0)
    axes[0, 0].set_ylabel("Accuracy (%)")
    axes[1, 0].set_ylabel("Images (%)")
    _add_legend(figure, networks, NAME_LENGTH[width])
    return figure


def describe_reliability(networks: Sequence[Calibrated]) -> str:
    """What `draw_reliability` shows, in words."""
    networks = _known(networks)
    parts = [f"{plain(network.name)} {_eces(network, ' clean', ' corrupted')}" for network in networks[:TOLD_APART]]
    rest = f" {len(networks) - TOLD_APART} further networks are grey." if len(networks) > TOLD_APART else ""
    return (
        f"Accuracy against confidence of {len(networks)} network{'s' if len(networks) > 1 else ''} in "
        f"{_number_of_bins(networks)} bins, clean and corrupted images; below the diagonal a network is too sure of "
        f"itself. Expected calibration error: {'; '.join(parts)}.{rest}"
    )


def _known(networks: Sequence[Calibrated]) -> list[Calibrated]:
    found = [network for network in networks if _images(network.clean) or _images(network.corrupted)]
    if not found:
        raise NothingToEvaluateError("no reliability diagram to draw: no network has its images by confidence")
    return found


def _images(bins: Bins | None) -> int:
    return sum(bins.count) if bins else 0


def _draw_bins(upper: Axes, lower: Axes, name: str, bins: Bins, look: Look | None) -> None:
    """look: None for a network in the background."""
    count = np.array(bins.count, dtype=np.float64)
    share = 100 * count / count.sum()
    drawn = share >= 100 * FEW
    confidence = 100 * np.array(bins.confidence)[drawn] / count[drawn]
    accuracy = 100 * np.array(bins.correct)[drawn] / count[drawn]
    edges = np.linspace(0, 100, len(count) + 1)
    gid = tip(f"{name}: expected calibration error {bins.stated_ece():.2f} %")
    if look is None:
        upper.plot(confidence, accuracy, color=REST, linewidth=0.7, gid=gid)
        lower.stairs(share, edges, color=REST, linewidth=0.7)
        return
    style: Any = look.linestyle
    upper.plot(confidence, accuracy, color=look.colour, linestyle=style, marker=look.marker, gid=gid)
    lower.stairs(share, edges, color=look.colour, linestyle=style, linewidth=0.9)


def _add_legend(figure: Figure, networks: Sequence[Calibrated], longest: int) -> None:
    """A line a network with both ECEs, above the panels."""
    told_apart = networks[:TOLD_APART]
    names = short_names([network.name for network in told_apart], longest)
    texts = [f"{name}: ECE {_eces(network, '', '')}" for name, network in zip(names, told_apart, strict=True)]
    handles = [line_handle(look) for look in looks(len(told_apart))]
    if len(networks) > TOLD_APART:
        texts.append(counted(len(networks) - TOLD_APART, "other"))
        handles.append(rest_handle())
    add_legend(figure, handles, texts)


def _eces(network: Calibrated, clean: str, corrupted: str) -> str:
    """Such as "3.1 % clean, 9.8 % corrupted"."""
    known = [(bins, word) for bins, word in ((network.clean, clean), (network.corrupted, corrupted))]
    texts = [f"{bins.stated_ece():.1f} %{word}" if bins and _images(bins) else f"–{word}" for bins, word in known]
    return ", ".join(texts)


def _number_of_bins(networks: Sequence[Calibrated]) -> int:
    return max(len(bins.count) for network in networks for bins in (network.clean, network.corrupted) if bins)
