"""Images on their way to a device, and those that stay there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing

import numpy as np
import torch

from lst_robust.data import ImageSource
from lst_robust.data.source import CACHE_BYTES
from lst_robust.runtime.devices import asynchronous, free_memory, indexed, not_enough_memory
from lst_robust.runtime.portions import MakeRoom, no_room, with_room
from lst_robust.runtime.prefetch import prefetch

SHARE = 2  # one part in two of the free memory may be images: the network, its gradients and features need the rest
LOADED_BYTES = 2**22  # of the images that a thread reads at a time: 27 images of 224 pixels
UNDER_WAY_BYTES = 2**26  # of the images whose copy to the device was begun and may not be done yet

Fill = Callable[[Sequence[int], np.ndarray], None]
"""Writes the images at some indices into an array, uint8 (n, S, S, 3)."""


def room_for_images(device: torch.device) -> int:
    """Bytes of half of the free memory, that which torch keeps for later included. On a CPU, where nobody knows: what a
    source keeps there itself, so that a large set stays on the disk."""
    if device.type != "cuda":
        return CACHE_BYTES
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return (free_memory(device) + kept) // SHARE


def resident_images(
    source: ImageSource, device: torch.device, workers: int, fill: Fill | None = None
) -> torch.Tensor | None:
    """All images of a source on the device, uint8 (n, S, S, 3); None where they don't fit into half of its free
    memory. DataError for images that cannot be read. fill: reads them in another way than the source does."""
    n, size = len(source), source.image_size
    if n * size**2 * 3 > room_for_images(device):
        return None
    try:
        images = torch.empty((n, size, size, 3), dtype=torch.uint8, device=device)
    except RuntimeError as error:
        if not not_enough_memory(error):
            raise
        return None  # what is free may be in pieces, or another program has taken it meanwhile
    pieces = _pieces(range(n), size, -(-n // workers))
    way, done = _Way(device), 0
    with closing(_loaded(fill or read_into(source), pieces, size, device, workers)) as loaded:
        for piece in loaded:
            way.copy(piece, images[done : done + len(piece)])
            done += len(piece)
    return images


def read_into(source: ImageSource) -> Fill:
    """The images as the source reads them."""

    def fill(indices: Sequence[int], images: np.ndarray) -> None:
        images[:] = source.read(indices)

    return fill


def on_device(
    fill: Fill,
    batches: Sequence[Sequence[int]],
    image_size: int,
    device: torch.device,
    workers: int,
    make_room: MakeRoom = no_room,
) -> Generator[torch.Tensor, None, None]:
    """The images of each batch, uint8 (b, S, S, 3) on the device, in order; `fill` runs in threads, which share the
    batch in pieces of about LOADED_BYTES.

    To CUDA the pieces go through page-locked memory, from which a copy runs while the device computes: `workers + 1`
    pieces and UNDER_WAY_BYTES are locked at most. make_room: is called when the device has none for a batch.
    """
    cut = [_pieces(batch, image_size) for batch in batches]
    way = _Way(device)
    with closing(_loaded(fill, [piece for one in cut for piece in one], image_size, device, workers)) as loaded:
        for batch, pieces in zip(batches, cut, strict=True):
            if len(pieces) == 1 and not asynchronous(device):
                yield next(loaded).to(device)
                continue
            yield way.joined(loaded, len(batch), pieces, make_room)


def page_locked(shape: Sequence[int], device: torch.device) -> torch.Tensor:
    """uint8, in memory of the host that CUDA reads on its own; in usual memory for other devices, and where the host
    locks no more."""
    if asynchronous(device):
        try:
            return torch.empty(tuple(shape), dtype=torch.uint8, pin_memory=True)
        except RuntimeError as error:
            if not not_enough_memory(error):
                raise
    return torch.empty(tuple(shape), dtype=torch.uint8)


class _Way:
    """The way to a device. Copies to CUDA are only begun. Once UNDER_WAY_BYTES of them are under way, the host waits
    for the oldest, because the memory that it comes from stays locked until then."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._bytes = device, 0
        self._under_way: deque[tuple[torch.cuda.Event, int]] = deque()

    def copy(self, images: torch.Tensor, into: torch.Tensor) -> None:
        into.copy_(images, non_blocking=True)
        if not asynchronous(self._device):
            return
        self._under_way.append((torch.cuda.current_stream(self._device).record_event(), images.nbytes))
        self._bytes += images.nbytes
        while self._bytes > UNDER_WAY_BYTES:
            copied, size = self._under_way.popleft()
            copied.synchronize()
            self._bytes -= size

    def joined(
        self, loaded: Generator[torch.Tensor, None, None], n: int, pieces: Sequence[Sequence[int]], make_room: MakeRoom
    ) -> torch.Tensor:
        """The next n images, which come in these pieces."""
        first = next(loaded)
        shape = (n, *first.shape[1:])
        images = with_room(lambda: torch.empty(shape, dtype=torch.uint8, device=self._device), make_room)
        self.copy(first, images[: len(first)])
        done = len(first)
        for piece in pieces[1:]:
            self.copy(next(loaded), images[done : done + len(piece)])
            done += len(piece)
        return images


def _pieces(indices: Sequence[int], image_size: int, most: int | None = None) -> list[Sequence[int]]:
    """Of about LOADED_BYTES, and of `most` images."""
    size = max(1, LOADED_BYTES // (image_size**2 * 3))
    size = size if most is None else max(1, min(size, most))
    return [indices[start : start + size] for start in range(0, len(indices), size)]


def _loaded(
    fill: Fill, pieces: Sequence[Sequence[int]], image_size: int, device: torch.device, workers: int
) -> Generator[torch.Tensor, None, None]:
    """Each piece in memory of the host, page-locked for CUDA, by threads that run ahead."""
    number = indexed(device).index if asynchronous(device) else None

    def load(indices: Sequence[int]) -> torch.Tensor:
        images = page_locked((len(indices), image_size, image_size, 3), device)
        fill(indices, images.numpy())
        return images

    def prepare_thread() -> None:
        torch.set_num_threads(1)  # each decodes an image of its own
        if number is not None:
            torch.cuda.set_device(number)  # a thread begins with the first one, and would take memory there

    threads_before = torch.get_num_threads()
    try:
        with closing(prefetch(load, pieces, workers, prepare_thread)) as found:
            yield from found
    finally:
        torch.set_num_threads(threads_before)
