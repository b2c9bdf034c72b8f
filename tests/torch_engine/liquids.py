"""Grey images as spatter makes them, and such as are hard on an edge detector."""

from __future__ import annotations

import numpy as np

from lst_robust.corruptions.filters import gaussian
from tests.torch_engine.test_reaching import checkerboard, comb, snake, spiral

FIELDS = [(4, 0.65, 0.3, 0.69), (2, 0.65, 0.3, 0.68), (1, 0.65, 0.3, 0.69), (0.7, 0.62, 0.1, 0.7)]
"""sigma, mean, standard deviation and threshold: some of the presets'."""
SIZES = [(16, 16), (17, 23), (48, 33), (64, 64)]


def smooth_fields(size: tuple[int, int], sigma: float, mean: float, std: float, threshold: float) -> np.ndarray:
    """uint8 (5, height, width), as in weather.apply_spatter."""
    liquid = gaussian(mean + std * np.random.default_rng(0).standard_normal((5, *size)), sigma)
    liquid[liquid < threshold] = 0
    return (liquid * 255).astype(np.uint8)


def hard_images(size: tuple[int, int]) -> np.ndarray:
    """uint8 (N, height, width): long weak lines with a strong end, lattices, noise, flat images and single pixels."""
    height, width = size
    random = np.random.default_rng(1)
    images = [np.full(size, level, np.uint8) for level in (0, 90, 255)]
    for line in (spiral, snake, comb, checkerboard):
        coarse = line(-(-height // 5), -(-width // 5)).astype(np.uint8) * 20  # no gradient above 120
        weak = np.kron(coarse, np.ones((5, 5), np.uint8))[:height, :width]
        strong = weak.copy()
        strong[:5, :10] *= 4
        images += [weak, strong, line(height, width).astype(np.uint8) * 255, line(height, width).astype(np.uint8) * 20]
    images += [random.integers(0, most, size, dtype=np.uint8) for most in (256, 40, 12)]
    for y, x in ((0, 0), (height - 1, width - 1), (height // 2, width // 2)):
        lone = np.zeros(size, np.uint8)
        lone[y, x] = 200
        images.append(lone)
    return np.stack(images)
