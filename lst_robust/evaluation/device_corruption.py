"""The torch engine for the cells of a suite: squares that lie on a device, corrupted there, and through JPEG there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lst_robust.benchmark import Cell
from lst_robust.corruptions import corrupt
from lst_robust.runtime.devices import asynchronous, indexed
from lst_robust.runtime.portions import MakeRoom, Portions, no_room, with_room
from lst_robust.suites import Suite
from lst_robust.torch_engine import ENGINE, ENGINE_VERSION, TensorCorruptor
from lst_robust.torch_engine.engine import CHUNK_BYTES, checked_tensor

Make = Callable[[Tensor, range, MakeRoom], Tensor]
"""uint8 (n, S, S, 3) on the device, the positions of these images, what frees memory there -> the same, corrupted."""


class DeviceCorruption:
    """Corrupts the images of a suite on a device, as many at a time as the engine works on at once. Those are fewer
    when memory has run out.

    image_size: S, in pixels; quality: of the JPEG that corrupted images go through, None for none. The device gets its
    number here: other threads may work for it, and "cuda" alone would be the first card there.
    """

    name = f"{ENGINE} {ENGINE_VERSION}"

    def __init__(
        self, suite: Suite, seed: int, device: torch.device, image_size: int, quality: int | None = None
    ) -> None:
        self.device = indexed(device)
        self._suite, self._seed, self._quality = suite, seed, quality
        self._portions = Portions(self.device, max(1, CHUNK_BYTES // (image_size**2 * 3)))

    def can_make(self, cell: Cell) -> bool:
        """False for a corruption from outside that only the host can make."""
        return self._corruptor(cell).on_device

    def maker(self, cell: Cell, ids: Sequence[int | str]) -> Make:
        """Makes a cell of images that lie on the device, if it `can_make` it. ids: of all images, whose keys are sent
        to the device now."""
        corruptor = self._corruptor(cell)
        streams = corruptor.streams(ids, self.device)

        def make(squares: Tensor, positions: range, make_room: MakeRoom) -> Tensor:
            squares, own = checked_tensor(squares), streams[positions.start : positions.stop]
            work = lambda some: self._saved(corruptor(squares[some], own[some]))  # noqa: E731
            parts = self._portions.of(work, len(squares), make_room, alike=True)
            return parts[0] if len(parts) == 1 else with_room(lambda: torch.cat(parts), make_room)

        return make

    def corrupted(self, squares: np.ndarray, cell: Cell, ids: Sequence[int | str]) -> np.ndarray:
        """The same for images of the host, which go to the device and come back. Threads may call it."""
        with torch.cuda.device(self.device) if asynchronous(self.device) else nullcontext():
            if not self.can_make(cell):
                arrays = corrupt(squares, cell.corruption, cell.severity, ids=ids, **self._how)
                if self._quality is None:
                    return arrays
                made = torch.from_numpy(arrays)
                saved = self._portions.of(lambda some: self._saved(made[some].to(self.device)).cpu(), len(made))
                return torch.cat(saved).numpy()
            images = torch.from_numpy(squares).to(self.device)
            return self.maker(cell, ids)(images, range(len(ids)), no_room).cpu().numpy()

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
