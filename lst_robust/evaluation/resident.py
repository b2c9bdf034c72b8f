"""The clean images of a set on a device, once for all cells."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing

import torch
from torch import Tensor

from lst_robust.data import ImageSource
from lst_robust.data.source import CACHE_BYTES
from lst_robust.evaluation.feeding import sent
from lst_robust.runtime.devices import free_memory, not_enough_memory
from lst_robust.runtime.prefetch import prefetch

logger = logging.getLogger(__name__)

LOADED_BYTES = 2**25  # of the images that a thread decodes at a time: 222 images of 224 pixels


def room_for_images(device: torch.device) -> int:
    """Bytes of half of the free memory, that which torch keeps for later included. On a CPU, where nobody knows: what a
    source keeps there itself, so that a large set stays on the disk."""
    if device.type != "cuda":
        return CACHE_BYTES
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return (free_memory(device) + kept) // 2


class CleanImages:
    """The images of a source on a device: all of them as uint8 where they fit into half of the memory that is free when
    they are first asked for, or each batch when its turn comes."""

    def __init__(self, source: ImageSource, device: torch.device, workers: int) -> None:
        self._source, self._device, self._workers = source, device, workers
        self._resident: Tensor | None = None
        self._asked = False

    def prepare(self) -> None:
        """Brings the images to the device if there is room for them. Later calls do nothing."""
        if self._asked:
            return
        n, size = len(self._source), self._source.image_size
        if n * size**2 * 3 <= room_for_images(self._device):
            try:
                self._resident = self._loaded(n, size)
            except RuntimeError as error:  # what is free may be in pieces
                if not not_enough_memory(error):
                    raise
        if self._resident is None:
            logger.info(
                "the %d clean images (%.1f GB) are too many to stay in the memory of %s: they go there in batches",
                *(n, n * size**2 * 3 / 1e9, self._device),
            )
        self._asked = True

    def batches(self, parts: Sequence[range]) -> Generator[Tensor, None, None]:
        """uint8 (n, S, S, 3) of each part in order, after `prepare`. Nobody may change them: they are used again."""
        if self._resident is None:
            yield from self._sent(parts)
        else:
            for part in parts:
                yield self._resident[part.start : part.stop]

    def _loaded(self, n: int, size: int) -> Tensor:
        images = torch.empty((n, size, size, 3), dtype=torch.uint8, device=self._device)
        at_a_time = max(1, min(LOADED_BYTES // (size**2 * 3), -(-n // self._workers)))
        parts = [range(start, min(start + at_a_time, n)) for start in range(0, n, at_a_time)]
        for part, some in zip(parts, self._sent(parts), strict=True):
            images[part.start : part.stop] = some
        return images

    def _sent(self, parts: Sequence[range]) -> Iterator[Tensor]:
        with closing(prefetch(self._source.read, parts, self._workers)) as loaded:
            yield from sent(loaded, self._device)
