"""From uint8 images to the network's input, with decoding and corruption running ahead in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np
import torch

Load = Callable[[Sequence[int]], np.ndarray]
"""Indices into a source -> uint8 images (n, H, W, 3)."""


class Preprocess:
    """uint8 (n, H, W, 3) on the host -> float32 (n, 3, H, W) on the device, (x / 255 - mean) / std per channel."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: torch.device) -> None:
        self.mean = torch.tensor(mean, dtype=torch.float32, device=device).mul(255).view(1, 3, 1, 1)
        self.scale = torch.tensor(std, dtype=torch.float32, device=device).mul(255).reciprocal().view(1, 3, 1, 1)
        self.device = device

    def __call__(self, images: np.ndarray) -> torch.Tensor:
        pixels = torch.from_numpy(images).to(self.device, non_blocking=True)
        return (pixels.permute(0, 3, 1, 2).float() - self.mean) * self.scale


def prefetch(load: Load, n: int, batch_size: int, workers: int) -> Iterator[np.ndarray]:
    """The batches of images 0..n-1 in order, loaded by `workers` threads at most `workers + 1` batches ahead.

    With `workers` 1 one thread loads while the caller computes. An error in a loader surfaces here.
    """
    return ahead(load, (range(start, min(start + batch_size, n)) for start in range(0, n, batch_size)), workers)


def ahead(load: Load, batches: Iterable[Sequence[int]], workers: int) -> Iterator[np.ndarray]:
    """The same for any batches of indices."""
    remaining = iter(batches)
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="load") as pool:
        pending: deque[Future[np.ndarray]] = deque(pool.submit(load, batch) for batch in islice(remaining, workers + 1))
        try:
            while pending:
                images = pending.popleft().result()
                pending.extend(pool.submit(load, batch) for batch in islice(remaining, 1))
                yield images
        finally:
            for future in pending:
                future.cancel()
