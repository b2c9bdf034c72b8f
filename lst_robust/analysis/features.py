"""What was measured of the features inside of networks: scores of every image in every layer, and their means.

A score is a number of one image, one layer and one cell, such as the Hoyer sparsity of the layer's output. Means are
over images, with 95 % intervals over images (see `lst_robust.analysis.statistics`), which know nothing of other
trainings. The scores are measured by `lst_robust.features`; this module works without torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lst_robust.analysis.statistics import intervals, paired_intervals
from lst_robust.arguments import choice
from lst_robust.benchmark import CLEAN_CELL, Cell

if TYPE_CHECKING:
    import pandas as pd

ALL_LAYERS = "all layers"
"""The group whose score is the mean of those of all layers."""
CORRUPTED = "corrupted"
"""The name of the mean over all corrupted cells."""
BAND = "band_v{}_h{}"  # the share of energy in a band of an LST-Net's T_s: vertical and horizontal frequency


class Measure(NamedTuple):
    """scale_free: whether it stays when all values of the layer are multiplied by the same number. A BN behind the
    layer undoes such a factor, so that it says nothing of the network."""

    title: str
    scale_free: bool
    text: str


MEASURES: dict[str, Measure] = {
    "hoyer": Measure(
        "Hoyer sparsity", True, "(√n - L1/L2) / (√n - 1) of the layer's n values: 0 equal, 1 a single one"
    ),
    "hoyer_channels": Measure(
        "Hoyer, by channel", True, "mean of the channels' own, whatever the factor of each channel"
    ),
    "small_relative": Measure("below 10 % of RMS", True, "share of values with |x| <= 0.1 of the layer's RMS"),
    "small": Measure("below threshold", False, "share of values with |x| < threshold (0.1, as the paper clips)"),
    "amplitude": Measure("mean |x|", False, "mean amplitude"),
    "energy_mean": Measure("energy: means", True, "share of energy in the maps' means (2D-DCT)"),
    "energy_low": Measure("energy: low", True, "share of energy at up to 1/4 of the Nyquist frequency, without means"),
    "energy_mid": Measure("energy: middle", True, "share of energy at 1/4 to 1/2 of the Nyquist frequency"),
    "energy_high": Measure("energy: high", True, "share of energy above 1/2 of the Nyquist frequency"),
    "cosine": Measure("cosine to clean", True, "cosine similarity of an image's corrupted to its clean features"),
    "distance": Measure(
        "distance to clean", True, "L2 distance of corrupted to clean features, over the clean ones' L2"
    ),
}
"""Name of a measure -> what it is; the shares of an LST-Net's bands, `band_v0_h0` and so on, come after these."""
SPARSITY = ("hoyer", "hoyer_channels", "small_relative", "small", "amplitude")


def measure_named(name: str) -> Measure:
    """What a measure is, also of a band."""
    if name in MEASURES:
        return MEASURES[name]
    vertical, horizontal = (part[1:] for part in name.split("_")[1:])
    return Measure(f"band {vertical},{horizontal}", True, "share of energy in this band of T_s (vertical, horizontal)")


@dataclass(frozen=True)
class LayerScores:
    """One layer of one network.

    channels, height, width: of its features; bands: how many bands T_s has, k-major, 0 for a convolution.
    scores: cell -> measure -> float64 (n,), one a image.
    """

    name: str
    channels: int
    height: int
    width: int
    bands: int
    scores: Mapping[Cell, Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Picture:
    """16 channels of one layer for one clean image, as the paper's Figure 2 shows them.

    columns: float32 (height · width, up to 16), each channel as a vector. Of an LST-Net they are feature-major: the a²
    bands of one feature stand side by side. bands: a², or 0. rms: of the whole layer. hoyer, small: its scores, the
    latter with this threshold.
    """

    layer: str
    columns: np.ndarray
    bands: int
    rms: float
    hoyer: float
    small: float
    threshold: float


@dataclass(frozen=True)
class NetworkFeatures:
    """One network. seed: of its training; trained: False for the same structure with its initial weights.

    options: that it was built with; structure: SHA-256 of what it is built of, "" where that is not known. Networks of
    one model that differ in these are different networks.
    """

    label: str
    model: str
    seed: int | None
    trained: bool
    layers: tuple[LayerScores, ...]
    picture: Picture | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    structure: str = ""

    def groups(self) -> dict[str, tuple[LayerScores, ...]]:
        """The layers together: all, and those whose maps have the same size, by a name for people."""
        sizes: dict[str, list[LayerScores]] = {}
        for layer in self.layers:
            sizes.setdefault(f"maps of {layer.height} x {layer.width}", []).append(layer)
        found = {ALL_LAYERS: self.layers}
        return found | {name: tuple(layers) for name, layers in sizes.items() if len(sizes) > 1}


@dataclass(frozen=True)
class FeatureStatistics:
    """Features of networks on the same images.

    step: where in a layer they were taken (see `lst_robust.features.layers`); threshold: of the measure `small`;
    ids: of the images; cells: the clean one first.
    """

    suite: str
    step: str
    threshold: float
    ids: tuple[str, ...]
    cells: tuple[Cell, ...]
    networks: tuple[NetworkFeatures, ...]

    @property
    def n(self) -> int:
        return len(self.ids)

    def network(self, label: str) -> NetworkFeatures:
        """The network of that label; UsageError for another name."""
        return {one.label: one for one in self.networks}[choice("network", label, [n.label for n in self.networks])]

    def over_seeds(self) -> FeatureStatistics:
        """Networks of one model that differ in the seed of their training only, as one: the mean of an image's scores.

        They have the same options, structure and layers, and seeds that are known and differ. Where a seed is not
        known, or there twice, nothing says that the networks are trainings of one recipe, and they stay apart. What
        was not trained stays apart from what was. A model is then called by its name, without a seed; where several of
        them have that name, each by the labels of the networks in it.
        """
        alike: dict[tuple[object, ...], list[NetworkFeatures]] = {}
        for network in self.networks:
            alike.setdefault(_all_but_seed(network), []).append(network)
        parts = [part for networks in alike.values() for part in _trainings(networks)]
        names = Counter((part[0].model, part[0].trained) for part in parts)
        alone = [names[part[0].model, part[0].trained] == 1 for part in parts]
        networks = [_mean_network(part, by_name=one) for part, one in zip(parts, alone, strict=True)]
        return replace(self, networks=tuple(networks))

    def table(self, *, layers: bool = True) -> pd.DataFrame:
        """Means over images with 95 % intervals: a row a network, group of layers or layer, cell and measure.

        layers: also a row for each single layer. low and high are NaN where there is one image only.
        """
        import pandas as pd

        rows = [row for network in self.networks for row in self._rows(network, layers)]
        return pd.DataFrame(rows).astype(dict.fromkeys(("seed", "number", "channels", "height", "width"), "Int64"))

    def difference(self, a: str, b: str) -> pd.DataFrame:
        """Of two networks, by their labels: means of a, of b and of a - b, paired by image, with its 95 % interval.

        A row a group of layers that both have, cell and measure. The layers of both may differ in number.
        """
        import pandas as pd

        first, second = self.network(a), self.network(b)
        others = {(group, cell, measure): scores for group, cell, measure, scores in grouped(second, self.cells)}
        rows, kept = [], []
        for group, cell, measure, scores in grouped(first, self.cells):
            if (group, cell, measure) in others:
                other = others[group, cell, measure]
                kept.append(scores - other)
                rows.append({**_where(group, cell, measure), "a": scores.mean(), "b": other.mean()})
        ends = _ends(np.stack(kept, axis=1), paired_intervals)
        for row, difference, (low, high) in zip(rows, kept, ends, strict=True):
            row |= {"difference": difference.mean(), "low": low, "high": high, "n": self.n}
        return pd.DataFrame([{"network_a": a, "network_b": b, **row} for row in rows])

    def to_dict(self) -> dict[str, Any]:
        """For JSON: what was measured, and the table's rows."""
        rows = [row for network in self.networks for row in self._rows(network, layers=True)]
        for row in rows:
            row |= {key: None for key in ("low", "high") if np.isnan(row[key])}
        return {
            "suite": self.suite,
            "step": self.step,
            "threshold": self.threshold,
            "n": self.n,
            "images": list(self.ids),
            "cells": [cell.name for cell in self.cells],
            "scale_free": {row["measure"]: row["scale_free"] for row in rows},
            "rows": rows,
        }

    def _rows(self, network: NetworkFeatures, layers: bool) -> Iterator[dict[str, Any]]:
        found: list[tuple[int, LayerScores | None, str, str, str, np.ndarray]]
        found = [(0, None, *one) for one in grouped(network, self.cells)]
        for number, single in enumerate(network.layers if layers else (), start=1):
            found += [(number, single, single.name, *one) for one in _scores_of((single,), self.cells)]
        ends = _ends(np.stack([one[-1] for one in found], axis=1), intervals)
        for (number, layer, name, cell, measure, scores), (low, high) in zip(found, ends, strict=True):
            yield {
                "network": network.label,
                "model": network.model,
                "seed": network.seed,
                "trained": network.trained,
                "number": number or None,
                "channels": layer.channels if layer else None,
                "height": layer.height if layer else None,
                "width": layer.width if layer else None,
                **_where(name, cell, measure),
                "mean": float(scores.mean()),
                "low": low,
                "high": high,
                "n": self.n,
            }


def grouped(network: NetworkFeatures, cells: Sequence[Cell]) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """(group of layers, cell, measure, scores): an image's score in a group is the mean of those in its layers. After
    the cells comes the mean of the corrupted ones, where there are two or more."""
    for group, layers in network.groups().items():
        for cell, measure, scores in _scores_of(layers, cells):
            yield group, cell, measure, scores


def _scores_of(layers: Sequence[LayerScores], cells: Sequence[Cell]) -> Iterator[tuple[str, str, np.ndarray]]:
    corrupted: dict[str, list[np.ndarray]] = {}
    for cell in cells:
        for measure in layers[0].scores[cell]:
            scores = np.mean([layer.scores[cell][measure] for layer in layers], axis=0)
            yield cell.name, measure, scores
            if cell != CLEAN_CELL:
                corrupted.setdefault(measure, []).append(scores)
    for measure, parts in corrupted.items():
        if len(parts) > 1:
            yield CORRUPTED, measure, np.mean(parts, axis=0)


def _where(layer: str, cell: str, measure: str) -> dict[str, Any]:
    return {"layer": layer, "cell": cell, "measure": measure, "scale_free": measure_named(measure).scale_free}


def _ends(scores: np.ndarray, of: Any) -> list[tuple[float, float]]:
    """Ends of the intervals of columns; NaN for a single image."""
    if len(scores) < 2:
        return [(np.nan, np.nan)] * scores.shape[1]
    largest = np.abs(scores).max(axis=0)
    # Ends are rounded to digits behind the point, which are too few for small scores. Powers of two keep all bits.
    scale = np.where(largest > 0, np.exp2(np.ceil(np.log2(np.clip(largest, 2.0**-1000, 1)))), 1)
    return [(float(low), float(high)) for low, high in of(scores / scale) * scale[:, None]]


def _all_but_seed(network: NetworkFeatures) -> tuple[object, ...]:
    """What networks have in common that can be taken as one."""
    layers = tuple((one.name, one.channels, one.height, one.width, one.bands) for one in network.layers)
    options = tuple(sorted((key, repr(value)) for key, value in network.options.items()))
    return network.model, network.trained, options, network.structure, layers


def _trainings(networks: list[NetworkFeatures]) -> list[list[NetworkFeatures]]:
    """Networks that are alike but for their seeds: together where the seeds are known and differ, else each alone."""
    known = [one for one in networks if one.seed is not None]
    if len({one.seed for one in known}) < len(known):
        return [[one] for one in networks]
    return [*([known] if known else []), *([one] for one in networks if one.seed is None)]


def _mean_network(networks: Sequence[NetworkFeatures], *, by_name: bool) -> NetworkFeatures:
    """by_name: whether the model's name tells it from the others."""
    first = networks[0]
    label = first.model + ("" if first.trained else " untrained")
    if not by_name:
        label = " + ".join(one.label for one in networks)
    layers = tuple(
        replace(
            layer,
            scores={
                cell: {
                    name: np.mean([one.layers[place].scores[cell][name] for one in networks], axis=0) for name in scores
                }
                for cell, scores in layer.scores.items()
            },
        )
        for place, layer in enumerate(first.layers)
    )
    return replace(first, label=label, seed=first.seed if len(networks) == 1 else None, layers=layers)
