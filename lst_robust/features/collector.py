"""The scores of one network, gathered from its passes: nothing but the numbers is kept of what a hook hands over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lst_robust.analysis.features import LayerScores, NetworkFeatures, Picture
from lst_robust.benchmark import Cell
from lst_robust.errors import NonFiniteError, UsageError
from lst_robust.features.layers import Layer
from lst_robust.features.measures import change_scores, layer_scores
from lst_robust.features.subject import Subject

PICTURE_CHANNELS = 16  # as in the paper's Figure 2


class Collector:
    """Receives the features of a pass, which holds the same images in every cell, one cell after the other."""

    def __init__(self, subject: Subject, cells: Sequence[Cell], step: str, threshold: float) -> None:
        self.subject, self.step = subject, step
        self._cells, self._threshold = cells, threshold
        self._layers = {layer.name: layer for layer in subject.layers}
        self._shapes: dict[str, tuple[int, int, int]] = {}  # in the order of the computation
        # Arrays of their full size: many small pieces among the features would keep the features' memory from reuse.
        self._scores: dict[str, dict[Cell, dict[str, np.ndarray]]] = {}
        self._images, self._done = len(subject.images.clean), 0
        self._picture: Picture | None = None
        self._received: set[str] = set()

    def receive(self, name: str, features: Tensor) -> None:
        """features: (cells · n, channels, H, W)."""
        label = self.subject.label
        if not isinstance(features, Tensor) or features.ndim != 4 or len(features) % len(self._cells):
            raise UsageError(f"layer {name} of {label} gives no (N, C, H, W), so that it has no maps: name others")
        channels, height, width = features.shape[1:]
        shape = (channels, height, width)
        if self._shapes.setdefault(name, shape) != shape:
            raise UsageError(f"layer {name} of {label} gives maps of changing size: name others")
        self._received.add(name)
        bands = self._bands(self._layers[name])
        parts = dict(zip(self._cells, features.chunk(len(self._cells)), strict=True))
        clean = parts[self._cells[0]]
        measured = layer_scores(features, bands, self._threshold)
        if not torch.isfinite(measured["amplitude"]).all():
            raise NonFiniteError(f"layer {name} of {label} gives NaN or infinite features: check its weights")
        count = len(clean)
        for place, (cell, part) in enumerate(parts.items()):
            found = {key: value[place * count : (place + 1) * count] for key, value in measured.items()}
            if cell != self._cells[0]:
                found |= change_scores(clean, part)
            kept = self._scores.setdefault(name, {}).setdefault(cell, {})
            for key, value in found.items():
                scores = kept.setdefault(key, np.empty(self._images))
                scores[self._done : self._done + count] = value.cpu().numpy()
        if self._picture is None:
            self._picture = Picture(
                layer=name,
                columns=columns(clean[0], bands),
                bands=bands,
                rms=float(clean[0].float().square().mean().sqrt()),
                hoyer=float(measured["hoyer"][0]),
                small=float(measured["small"][0]),
                threshold=self._threshold,
            )

    def end_pass(self, images: int) -> None:
        """A pass with so many images in each cell is over. UsageError where a layer has handed over nothing."""
        if missing := [name for name in self._layers if name not in self._received]:
            why = "is followed by no BN" if self.step == "bn" else "takes no part in the computation"
            advice = "take --step output, or other layers" if self.step == "bn" else "name others"
            raise UsageError(f"layer {missing[0]} of {self.subject.label} {why}: {advice}")
        self._received = set()
        self._done += images

    def finished(self) -> NetworkFeatures:
        """What has been gathered of all images."""
        subject = self.subject
        layers = tuple(
            LayerScores(
                name=name,
                channels=channels,
                height=height,
                width=width,
                bands=self._bands(self._layers[name]),
                scores=self._scores[name],
            )
            for name, (channels, height, width) in self._shapes.items()
        )
        return NetworkFeatures(
            label=subject.label,
            model=subject.model,
            seed=subject.seed,
            trained=subject.trained,
            layers=layers,
            picture=self._picture,
            options=subject.options,
            structure=subject.structure,
        )

    def _bands(self, layer: Layer) -> int:
        """What a T_s takes has no bands yet."""
        return 0 if self.step == "input" else layer.bands


def columns(features: Tensor, bands: int) -> np.ndarray:
    """The first 16 channels of features (channels, H, W) as vectors, float32 (H · W, 16 or fewer).

    Of k-major bands these are the first features, each with its a² bands side by side, as in the paper's Figure 2.
    """
    if bands:
        few = max(1, PICTURE_CHANNELS // bands)
        features = features.unflatten(0, (bands, -1)).transpose(0, 1)[:few].flatten(0, 1)
    else:
        features = features[:PICTURE_CHANNELS]
    return features.float().flatten(1).T.contiguous().cpu().numpy()
