"""The torch engine for the cells of a suite: squares that lie on a device, corrupted there, and through JPEG there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lst_robust.benchmark import Cell
from lst_robust.corruptions import corrupt
from lst_robust.runtime.portions import Portions
from lst_robust.suites import Suite
from lst_robust.torch_engine import ENGINE, ENGINE_VERSION, TensorCorruptor
from lst_robust.torch_engine.engine import checked_tensor

MOST = 2**31  # images at a time: all, as long as there is memory for their corruption

Make = Callable[[Tensor, range], Tensor]
"""uint8 (n, S, S, 3) on the device, and the positions of these images -> the same, corrupted."""


class DeviceCorruption:
    """Corrupts the images of a suite on a device.

    quality: of the JPEG that corrupted images go through; None for none.
    """

    name = f"{ENGINE} {ENGINE_VERSION}"

    def __init__(self, suite: Suite, seed: int, device: torch.device, quality: int | None = None) -> None:
        self.device = device
        self._suite, self._seed, self._quality = suite, seed, quality
        self._portions = Portions(device, MOST)

    def can_make(self, cell: Cell) -> bool:
        """False for a corruption from outside that only the host can make."""
        return self._corruptor(cell).on_device

    def maker(self, cell: Cell, ids: Sequence[int | str]) -> Make:
        """Makes a cell of images that lie on the device, if it `can_make` it. ids: of all images, whose keys are sent
        to the device now."""
        corruptor = self._corruptor(cell)
        streams = corruptor.streams(ids, self.device)

        def make(squares: Tensor, positions: range) -> Tensor:
            squares, own = checked_tensor(squares), streams[positions.start : positions.stop]
            parts = self._portions.of(lambda some: self._saved(corruptor(squares[some], own[some])), len(squares))
            return parts[0] if len(parts) == 1 else torch.cat(parts)

        return make

    def corrupted(self, squares: np.ndarray, cell: Cell, ids: Sequence[int | str]) -> np.ndarray:
        """The same for images of the host, which go to the device and come back. Threads may call it."""
        if not self.can_make(cell):
            made = corrupt(squares, cell.corruption, cell.severity, ids=ids, **self._how)
            return self._saved(torch.from_numpy(made).to(self.device)).cpu().numpy()
        images = torch.from_numpy(squares).to(self.device)
        return self.maker(cell, ids)(images, range(len(ids))).cpu().numpy()

    def _saved(self, images: Tensor) -> Tensor:
        """What is read back when the images are saved as the suite says."""
        if self._quality is None:
            return images
        from lst_robust.torch_engine.jpeg import jpeg_round_trip

        with torch.no_grad():
            return jpeg_round_trip(images, self._quality)

    def _corruptor(self, cell: Cell) -> TensorCorruptor:
        return TensorCorruptor(cell.corruption, cell.severity, **self._how)

    @property
    def _how(self) -> dict[str, Any]:
        return {"preset": self._suite.preset, "style": self._suite.style, "seed": self._seed}
