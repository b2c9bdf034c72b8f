"""The Gaussian that smooths elastic_transform's fields, on a device: scipy's, with mirrored edges, cut at 3 sigma.

Few taps are added in scipy's order. Many taps would go through the memory hundreds of times, so there each axis is a
product with a matrix. How a library adds up a product depends on the device, its version and the number of images, and
so would the last bits. Therefore values and weights are cut into pieces of so few bits that each product of pieces is
exact, and then no order matters (after Ozaki et al., "Error-free transformations of matrix multiplication", 2012).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lst_robust.torch_engine.filters import extended, sum_of_pairs

PLAIN_PAIRS = 24
"""Up to so many pairs of taps are added in scipy's order."""

VALUE_BITS = 22
"""A value of at most 1 is two whole numbers of at most 2^22: its first 22 bits and its next 22 bits."""

WEIGHT_BITS = 30
"""The upper piece of a weight in 2^-30. A row of weights sums to 1, so a sum of products of upper pieces has less than
WEIGHT_BITS + VALUE_BITS + 1 = 53 bits, which float64 holds."""


def smooth(x: Tensor, sigma: tuple[float, float], reach: float) -> Tensor:
    """gaussian_filter(x, sigma, mode="reflect", truncate=3) of each image, axis by axis. x: float64 (N, H, W).

    sigma: of height and width, pixels. reach: no value is larger in size. Returns float64.
    """
    weights_y, weights_x = half_gaussian(sigma[0]), half_gaussian(sigma[1])
    if max(len(weights_y), len(weights_x)) - 1 <= PLAIN_PAIRS:
        for axis, weights in ((1, weights_y), (2, weights_x)):
            x = sum_of_pairs(extended(x, len(weights) - 1, axis, repeat=True), weights, axis)
        return x
    scale = 2.0 ** math.ceil(math.log2(reach))
    down = times(x.transpose(1, 2).contiguous().mul_(1 / scale), *pieces(x.shape[1], sigma[0], x.device))
    return times(down.transpose(1, 2).contiguous(), *pieces(x.shape[2], sigma[1], x.device)).mul_(scale)


@lru_cache(maxsize=64)
def half_gaussian(sigma: float) -> NDArray[np.float64]:
    """The weights of scipy's filter, centre first: float64 (1 + radius,)."""
    radius = int(3 * sigma + 0.5)
    weights = np.exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
    return (weights / weights.sum())[radius:]


def smoothing_matrix(length: int, sigma: float) -> NDArray[np.float64]:
    """The filter along an axis of `length` pixels, mirrored ends and all: row i makes output i."""
    half = half_gaussian(sigma)
    offsets = np.arange(1 - len(half), len(half))
    places = (np.arange(length)[:, None] + offsets) % (2 * length)
    matrix = np.zeros((length, length))
    rows = np.broadcast_to(np.arange(length)[:, None], places.shape)
    np.add.at(matrix, (rows, np.minimum(places, 2 * length - 1 - places)), half[np.abs(offsets)])
    return matrix


@lru_cache(maxsize=16)
def pieces(length: int, sigma: float, device: torch.device) -> tuple[Tensor, Tensor, float]:
    """The matrix transposed, as whole numbers: its first WEIGHT_BITS bits, rounded towards 0, and what is left, with so
    many bits that a row of it times values of VALUE_BITS bits is exact. And how often the second's unit is in one."""
    matrix = smoothing_matrix(length, sigma).T
    upper = np.floor(matrix * 2.0**WEIGHT_BITS)
    lower_bits = WEIGHT_BITS + (52 - VALUE_BITS - math.ceil(math.log2(length)))
    lower = np.floor((matrix - upper * 2.0**-WEIGHT_BITS) * 2.0**lower_bits)
    return torch.from_numpy(upper).to(device), torch.from_numpy(lower).to(device), 2.0**lower_bits


def times(x: Tensor, upper: Tensor, lower: Tensor, lower_unit: float) -> Tensor:
    """x @ (the matrix of these pieces), last axis by last axis. x: float64 (N, K, L), values of at most 1."""
    scaled = x * 2.0**VALUE_BITS
    first = scaled.round()
    second = scaled.sub_(first).mul_(2.0**VALUE_BITS).round_()
    total = torch.matmul(second, upper).mul_(2.0 ** -(WEIGHT_BITS + 2 * VALUE_BITS))
    total.add_(torch.matmul(first, lower).mul_(2.0**-VALUE_BITS / lower_unit))
    return total.add_(torch.matmul(first, upper).mul_(2.0 ** -(WEIGHT_BITS + VALUE_BITS)))
