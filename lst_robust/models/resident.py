"""Images on their way to a device, and those that stay there."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import numpy as np
import torch

from lst_robust.data import ImageSource
from lst_robust.data.source import CACHE_BYTES
from lst_robust.runtime.devices import free_memory, not_enough_memory
from lst_robust.runtime.prefetch import prefetch

SHARE = 2  # one part in two of the free memory may be images: the network, its gradients and features need the rest
LOADED_BYTES = 2**25  # of the images that a thread reads at a time, once: 222 images of 224 pixels

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
    at_a_time = max(1, min(LOADED_BYTES // (size**2 * 3), -(-n // workers)))
    chunks = [range(start, min(start + at_a_time, n)) for start in range(0, n, at_a_time)]
    for chunk, loaded in zip(chunks, on_device(fill or read_into(source), chunks, size, device, workers), strict=True):
        images[chunk.start : chunk.stop] = loaded
    return images


def read_into(source: ImageSource) -> Fill:
    """The images as the source reads them."""

    def fill(indices: Sequence[int], images: np.ndarray) -> None:
        images[:] = source.read(indices)

    return fill


def on_device(
    fill: Fill, batches: Sequence[Sequence[int]], image_size: int, device: torch.device, workers: int
) -> Generator[torch.Tensor, None, None]:
    """The images of each batch, uint8 (b, S, S, 3) on the device, in order; `fill` runs in threads.

    To CUDA they go through page-locked memory, from which a copy runs while the device computes. torch keeps such
    memory for the next batches, and does not hand it out before the copy is done.
    """
    on_cuda = device.type == "cuda"
    number = (torch.cuda.current_device() if device.index is None else device.index) if on_cuda else None

    def load(indices: Sequence[int]) -> torch.Tensor:
        images = torch.empty((len(indices), image_size, image_size, 3), dtype=torch.uint8, pin_memory=on_cuda)
        fill(indices, images.numpy())
        return images

    def prepare_thread() -> None:
        torch.set_num_threads(1)  # each decodes an image of its own
        if number is not None:
            torch.cuda.set_device(number)  # a thread begins with the first one, and would take memory there

    threads_before = torch.get_num_threads()
    try:
        for images in prefetch(load, batches, workers, prepare_thread):
            yield images.to(device, non_blocking=True)
    finally:
        torch.set_num_threads(threads_before)
