"""Images on their way to a device, and those that stay there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence

import numpy as np
import torch

from lst_robust.data import ImageSource
from lst_robust.runtime.devices import free_memory, not_enough_memory
from lst_robust.runtime.prefetch import prefetch

logger = logging.getLogger(__name__)

SHARE = 2  # one part in two of the free memory may be images: the network, its gradients and features need the rest
CHUNK = 256  # images that go to the device at a time, once

Fill = Callable[[Sequence[int], np.ndarray], None]
"""Writes the images at some indices into an array, uint8 (n, S, S, 3)."""


def resident_images(source: ImageSource, device: torch.device, workers: int) -> torch.Tensor | None:
    """All images of a source on the device, uint8 (n, S, S, 3); None where they don't fit into half of its free
    memory. DataError for images that cannot be read."""
    shape = (len(source), source.image_size, source.image_size, 3)
    if len(source) * source.image_size**2 * 3 > free_memory(device) // SHARE:
        return None
    try:
        images = torch.empty(shape, dtype=torch.uint8, device=device)
    except RuntimeError as error:
        if not not_enough_memory(error):
            raise
        return None  # another program has taken it meanwhile
    chunks = [list(range(start, min(start + CHUNK, len(source)))) for start in range(0, len(source), CHUNK)]
    first = 0
    for chunk in on_device(read_into(source), chunks, source.image_size, device, workers):
        images[first : first + len(chunk)] = chunk
        first += len(chunk)
    logger.info("%d images of %s stay in the memory of %s", len(source), source.name, device)
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
