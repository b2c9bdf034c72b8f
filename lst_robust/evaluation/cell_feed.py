"""The images of each cell on the device where the networks are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing

import numpy as np
import torch
from torch import Tensor

from lst_robust.benchmark import Cell
from lst_robust.data import ImageSource
from lst_robust.evaluation.cell_images import CellImages
from lst_robust.evaluation.chunks import CHUNK_BYTES, common_chunks, loaded_chunks
from lst_robust.evaluation.device_corruption import Make
from lst_robust.evaluation.feeding import ahead, sent_in_turn
from lst_robust.evaluation.resident import CleanImages
from lst_robust.models.preprocess import Load
from lst_robust.runtime.devices import indexed
from lst_robust.runtime.portions import MakeRoom, no_room, with_room
from lst_robust.runtime.prefetch import prefetch
from lst_robust.torch_engine.engine import CALL_BYTES


class CellFeed:
    """Brings the images of one cell after the other to a device. What torch's engine makes is made there, of clean
    images that go there once; what the host makes goes there batch by batch.

    make_room: frees what others hold in the device's memory. Where that is not enough, the clean images leave it.

    Memory: a part of a cell has CALL_BYTES for one network, CHUNK_BYTES for several, or one batch where that is more.
    At most five parts are there at once: two buffers, the part that is being made and its pieces, and the clean images
    of it where they are streamed. Besides, the engine works on one of its own chunks at a time.
    """

    def __init__(
        self, images: CellImages, device: torch.device, workers: int, make_room: Callable[[], bool] = no_room
    ) -> None:
        self._images, self._device, self._workers = images, indexed(device), workers
        self._others_make_room = make_room
        self._clean: CleanImages | None = None

    def parts(self, cell: Cell, batches: Sequence[Sequence[range]]) -> Generator[tuple[range, Tensor], None, None]:
        """Positions in order, which cut no batch in two, and the cell's images there: uint8 (n, S, S, 3) on the device,
        valid until the next ones are asked for.

        batches: of each network, all over the same positions. Close it (contextlib.closing) where it may be left before
        its end.
        """
        made_there = with_room(lambda: self._images.squares_on_device(cell), self.make_room)
        size, alone = self._images.clean.image_size, len(batches) == 1
        if made_there is None:
            parts = list(batches[0]) if alone else common_chunks(batches, CHUNK_BYTES // (size**2 * 3))
            found = self._sent(self._images.loader(cell), parts, shared=not alone)
        else:
            parts = common_chunks(batches, (CALL_BYTES if alone else CHUNK_BYTES) // (size**2 * 3))
            found = self._of_clean_images(*made_there, parts)
        with closing(found):
            yield from zip(parts, found, strict=True)

    def make_room(self) -> bool:
        """Frees memory of the device: that of others first, then that of the clean images. False where there is nothing
        to free."""
        return self._others_make_room() or (self._clean is not None and self._clean.leave())

    def _sent(self, load: Load, parts: Sequence[range], *, shared: bool) -> Generator[Tensor, None, None]:
        with closing(self._arrays(load, parts, shared)) as arrays:
            yield from ahead(sent_in_turn(arrays, self._device, self.make_room), self._device, self.make_room)

    def _arrays(self, load: Load, parts: Sequence[range], shared: bool) -> Generator[np.ndarray, None, None]:
        """shared: the parts are large, so that all threads work on one."""
        if not shared:
            yield from prefetch(load, parts, self._workers)
            return
        size = self._images.clean.image_size
        with closing(loaded_chunks(load, parts, size, self._workers, ahead=True)) as chunks:
            for chunk in chunks:
                yield chunk.images

    def _of_clean_images(
        self, squares: ImageSource, make: Make | None, parts: Sequence[range]
    ) -> Generator[Tensor, None, None]:
        if self._clean is None:
            self._clean = CleanImages(squares, self._device, self._workers)
        clean = self._clean
        clean.prepare()
        if make is None and clean.are_there:
            yield from clean.batches(parts)  # which nobody makes, and nobody changes
            return
        with closing(_made(clean, make, parts, self._others_make_room)) as made:
            yield from ahead(made, self._device, self.make_room)


class _InTheWay(Exception):
    """The clean images take the memory that their corruption needs."""


def _made(
    clean: CleanImages, make: Make | None, parts: Sequence[range], make_room: MakeRoom
) -> Generator[Tensor, None, None]:
    """The images of each part. When they find no memory, the clean images leave the device, and come in batches from
    this part on."""

    def others_or_clean_make_room() -> bool:
        if make_room():
            return True
        if clean.are_there:
            raise _InTheWay  # and this part of them must be let go first
        return False

    left = deque(parts)
    while left:
        with closing(clean.batches(list(left), make_room)) as batches:
            try:
                while left:
                    yield _one(next(batches), make, left[0], others_or_clean_make_room)
                    left.popleft()
            except _InTheWay:
                pass
        if left:
            clean.leave()


def _one(batch: Tensor, make: Make | None, part: range, make_room: MakeRoom) -> Tensor:
    return batch if make is None else make(batch, part, make_room)
