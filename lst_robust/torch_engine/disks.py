"""The sums of pixels under a disk, for defocus_blur on a device. They are integers, so no order of summing matters."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from lst_robust.corruptions import filters as plain
from lst_robust.torch_engine.filters import extended


def correlate_disk(images: Tensor, radius: float, alias_sigma: float) -> Tensor:
    """Weighted sums of the pixels (0..255) under filters.disk(radius, alias_sigma), reflect-101 outside.

    images: uint8 (N, H, W, C). Returns float64, same shape.
    """
    kernel = plain.disk(radius, alias_sigma)
    total = torch.zeros(images.shape, dtype=torch.float64, device=images.device)
    add_weighted_sums(total, sums_under_disk(images, radius, alias_sigma), kernel.smooth)
    add_weighted_sums(total, images, kernel.rest)
    return total


@lru_cache(maxsize=32)
def disk_runs(radius: float, alias_sigma: float) -> dict[tuple[int, int], tuple[int, ...]]:
    """The rows of the disk by their extent: (first dx, last dx) -> all dy of that extent, pixels."""
    inside = plain.disk(radius, alias_sigma).inside
    runs: dict[tuple[int, int], tuple[int, ...]] = {}
    for dy in np.unique(inside[:, 0]):
        dx = inside[inside[:, 0] == dy, 1]
        extent = (int(dx.min()), int(dx.max()))
        runs[extent] = (*runs.get(extent, ()), int(dy))
    return runs


def sums_under_disk(images: Tensor, radius: float, alias_sigma: float) -> Tensor:
    """Sums of the pixels under the plain disk: int32 (N, H, W, C).

    A row of the disk is the difference of two prefix sums, so the cost grows with the radius, not with its square.
    Rows of the same extent are added first.
    """
    height, width = images.shape[1:3]
    runs = disk_runs(radius, alias_sigma)
    reach = max(dy for rows in runs.values() for dy in rows)
    # One more pixel on the left, so that each run has a prefix sum before it.
    prefix = extended(extended(images, reach, axis=1), reach + 1, axis=2).cumsum(2, dtype=torch.int32)
    total = torch.zeros(images.shape, dtype=torch.int32, device=images.device)
    for (first, last), rows in runs.items():
        parts = [prefix.narrow(1, reach + dy, height) for dy in rows]
        sums = parts[0] + parts[1] if len(parts) > 1 else parts[0]
        for part in parts[2:]:
            sums.add_(part)
        total.add_(sums.narrow(2, reach + 1 + last, width)).sub_(sums.narrow(2, reach + first, width))
    return total


def add_weighted_sums(total: Tensor, x: Tensor, taps: plain.Taps) -> None:
    """total += weight * (the sum of x at the weight's taps), weight by weight. total: float64; x: integers."""
    if not len(taps.weights):
        return
    reach = max(int(np.abs(offsets).max()) for offsets in taps.offsets)
    largest = max(map(len, taps.offsets))
    height, width = x.shape[1:3]
    # Pixels of 8 bits: in half the memory where their sums fit.
    narrow = torch.int16 if x.dtype == torch.uint8 and largest * 255 < 2**15 else torch.int32
    padded = extended(extended(x.to(narrow), reach, axis=1), reach, axis=2)
    under = torch.empty(x.shape, dtype=narrow, device=x.device)
    for weight, offsets in zip(taps.weights, taps.offsets, strict=True):
        under.zero_()
        for dy, dx in (offsets + reach).tolist():
            under.add_(padded[:, dy : dy + height, dx : dx + width])
        total.add_(under.double().mul_(float(weight)))
