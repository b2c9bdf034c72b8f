"""The clean images of a set on a device, once for all cells."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence

import torch
from torch import Tensor

from lst_robust.data import ImageSource
from lst_robust.models.resident import on_device, read_into, resident_images

logger = logging.getLogger(__name__)


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
        self._resident = resident_images(self._source, self._device, self._workers)
        if self._resident is None:
            n, size = len(self._source), self._source.image_size
            logger.info(
                "the %d clean images (%.1f GB) are too many to stay in the memory of %s: they go there in batches",
                *(n, n * size**2 * 3 / 1e9, self._device),
            )
        self._asked = True

    def batches(self, parts: Sequence[range]) -> Generator[Tensor, None, None]:
        """uint8 (n, S, S, 3) of each part in order, after `prepare`. Nobody may change them: they are used again."""
        if self._resident is None:
            fill, size = read_into(self._source), self._source.image_size
            yield from on_device(fill, parts, size, self._device, self._workers)
        else:
            for part in parts:
                yield self._resident[part.start : part.stop]
