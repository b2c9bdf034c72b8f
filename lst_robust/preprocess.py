"""From uint8 images to the network's input, with decoding and corruption running ahead in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np
import torch

Batch = TypeVar("Batch")
Result = TypeVar("Result")
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


def ahead(
    work: Callable[[Batch], Result],
    batches: Iterable[Batch],
    workers: int,
    prepare_thread: Callable[[], object] | None = None,
) -> Generator[Result, None, None]:
    """What `work` makes of each batch, in order, by `workers` threads at most `workers + 1` batches ahead.

    With `workers` 1 one thread works while the caller does. `prepare_thread` is called first in each of the threads. An
    error in one of them surfaces here. Close the iterator (contextlib.closing) where it may not come to its end.
    """
    remaining = iter(batches)
    with ThreadPoolExecutor(workers, thread_name_prefix="worker", initializer=prepare_thread) as pool:
        pending: deque[Future[Result]] = deque(pool.submit(work, batch) for batch in islice(remaining, workers + 1))
        try:
            while pending:
                done = pending.popleft().result()
                pending.extend(pool.submit(work, batch) for batch in islice(remaining, 1))
                yield done
        finally:
            for future in pending:
                future.cancel()
