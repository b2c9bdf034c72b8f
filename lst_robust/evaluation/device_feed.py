"""The images of each cell on the device where the networks are."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing

import numpy as np
import torch
from torch import Tensor

from lst_robust.benchmark import Cell
from lst_robust.data import ImageSource
from lst_robust.evaluation.cell_images import CellImages
from lst_robust.evaluation.chunks import loaded_chunks
from lst_robust.evaluation.device_corruption import Make
from lst_robust.evaluation.feeding import ahead, sent
from lst_robust.evaluation.resident import CleanImages
from lst_robust.models.preprocess import Load
from lst_robust.runtime.prefetch import prefetch


class DeviceFeed:
    """Brings the images of one cell after the other to a device. What torch's engine makes is made there, of clean
    images that go there once; what the host makes goes there batch by batch."""

    def __init__(self, images: CellImages, device: torch.device, workers: int) -> None:
        self._images, self._device, self._workers = images, device, workers
        self._clean: CleanImages | None = None

    def batches(self, cell: Cell, parts: Sequence[range], *, shared: bool) -> Generator[Tensor, None, None]:
        """uint8 (n, S, S, 3) on the device: the cell's images at each of the `parts` in order, each valid until the
        next one is asked for.

        shared: the parts are large, so that all threads work on one where the host makes it. Close it
        (contextlib.closing) where it may be left before its end.
        """
        made_there = self._images.squares_on_device(cell)
        if made_there is None:
            with closing(self._arrays(self._images.loader(cell), parts, shared)) as arrays:
                yield from ahead(sent(arrays, self._device), self._device)
            return
        squares, make = made_there
        clean = self._clean_images(squares)
        with closing(clean.batches(parts)) as batches:
            yield from ahead(_made(batches, make, parts), self._device)

    def _clean_images(self, squares: ImageSource) -> CleanImages:
        if self._clean is None:
            self._clean = CleanImages(squares, self._device, self._workers)
        self._clean.prepare()
        return self._clean

    def _arrays(self, load: Load, parts: Sequence[range], shared: bool) -> Generator[np.ndarray, None, None]:
        if not shared:
            yield from prefetch(load, parts, self._workers)
            return
        size = self._images.clean.image_size
        with closing(loaded_chunks(load, parts, size, self._workers, ahead=True)) as chunks:
            for chunk in chunks:
                yield chunk.images


def _made(batches: Iterator[Tensor], make: Make | None, parts: Sequence[range]) -> Iterator[Tensor]:
    for batch, part in zip(batches, parts, strict=True):
        yield batch if make is None else make(batch, part)
