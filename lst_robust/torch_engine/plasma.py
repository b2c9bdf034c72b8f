"""corruptions/plasma.py on a device: the same sums in the same order, so the same bits."""

from __future__ import annotations

import torch
from torch import Tensor


def plasma(uniforms: Tensor, decay: float) -> Tensor:
    """Height maps before they are scaled. uniforms: float64 (N, size² - 1) of [0, 1) -> float64 (N, size, size).

    The smallest height of each map is to become 0 and the greatest 1: `scaled` does that for a part of the map.
    """
    count, numbers = uniforms.shape
    corners = uniforms.new_zeros((count, 1, 1))
    wibble, used = 100.0, 0
    while used < numbers:
        n = corners.shape[1]
        noise = uniforms[:, used : used + 3 * n * n].reshape(count, 3, n, n) * (wibble + wibble)
        noise = noise.add_(-wibble).mul_(wibble)
        down, right = corners.roll(-1, 1), corners.roll(-1, 2)
        pairs = corners + down
        middles = (pairs + pairs.roll(-1, 2)).mul_(0.25).add_(noise[:, 0])  # times 1/4 is the same as divided by 4
        grid = uniforms.new_empty((count, 2 * n, 2 * n))
        grid[:, 0::2, 0::2], grid[:, 1::2, 1::2] = corners, middles
        top = (middles + middles.roll(1, 1)).add_(corners + right)
        left = (middles + middles.roll(1, 2)).add_(pairs)
        torch.add(top.mul_(0.25), noise[:, 1], out=grid[:, 0::2, 1::2])
        torch.add(left.mul_(0.25), noise[:, 2], out=grid[:, 1::2, 0::2])
        corners, wibble, used = grid, wibble / decay, used + 3 * n * n
    return corners


def scaled(heights: Tensor, height: int, width: int) -> Tensor:
    """The upper left (height, width) of the maps on the scale of their whole, 0 to 1: float64 (N, height, width)."""
    least = heights.amin((1, 2), keepdim=True)
    span = heights.amax((1, 2), keepdim=True) - least  # rounding is monotone: the greatest of the differences
    return (heights[:, :height, :width] - least).div_(span)
