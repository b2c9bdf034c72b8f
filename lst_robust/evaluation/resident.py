"""The clean images of a set on a device, once for all cells."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence

import torch
from torch import Tensor

from lst_robust.data import ImageSource
from lst_robust.models.resident import on_device, read_into, resident_images
from lst_robust.runtime.devices import asynchronous
from lst_robust.runtime.portions import MakeRoom, no_room

logger = logging.getLogger(__name__)


class CleanImages:
    """The images of a source on a device: all of them as uint8 where they fit into half of the memory that is free when
    they are first asked for, or each batch when its turn comes."""

    def __init__(self, source: ImageSource, device: torch.device, workers: int) -> None:
        self._source, self._device, self._workers = source, device, workers
        self._resident: Tensor | None = None
        self._asked = False

    @property
    def are_there(self) -> bool:
        """Whether all of them lie on the device."""
        return self._resident is not None

    def prepare(self) -> None:
        """Brings the images to the device if there is room for them. Later calls do nothing."""
        if self._asked:
            return
        self._resident = resident_images(self._source, self._device, self._workers)
        if self._resident is None:
            self._say_that_they_are_too_many()
        self._asked = True

    def leave(self) -> bool:
        """They leave the device, and go there in batches from now on. False where they were not there.

        Batches that somebody still holds are not free before they are let go."""
        if self._resident is None:
            return False
        if asynchronous(self._device):
            torch.cuda.synchronize(self._device)  # either stream may read them
        self._resident = None
        torch.cuda.empty_cache()
        self._say_that_they_are_too_many()
        return True

    def batches(self, parts: Sequence[range], make_room: MakeRoom = no_room) -> Generator[Tensor, None, None]:
        """uint8 (n, S, S, 3) of each part in order, after `prepare`. Nobody may change them: they are used again.

        make_room: is called when there is no memory for a batch.
        """
        if self._resident is None:
            fill, size = read_into(self._source), self._source.image_size
            yield from on_device(fill, parts, size, self._device, self._workers, make_room)
            return
        for place, part in enumerate(parts):
            if self._resident is None:  # they have left meanwhile
                yield from self.batches(parts[place:], make_room)
                return
            yield self._resident[part.start : part.stop]

    def _say_that_they_are_too_many(self) -> None:
        n, size = len(self._source), self._source.image_size
        logger.info(
            "the %d clean images (%.1f GB) are too many to stay in the memory of %s: they go there in batches",
            *(n, n * size**2 * 3 / 1e9, self._device),
        )
