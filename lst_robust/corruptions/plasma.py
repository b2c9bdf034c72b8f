"""The height map behind fog: the diamond-square algorithm on a torus, for N images at once.

After the author of ImageNet-C's modification of https://github.com/FLHerne/mapgen (diamondsquare.py).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def plasma(uniforms: NDArray[np.float64], decay: float) -> NDArray[np.float64]:
    """Height maps scaled to [0, 1]. uniforms: (N, size, size) of [0, 1), size a power of two -> same shape.

    Each grid point but the first is displaced once, by its own uniform number. Squares and diamonds halve from the
    whole map down to one pixel, the displacement shrinking by `decay` each time.
    """
    size = uniforms.shape[-1]
    heights = np.zeros_like(uniforms)
    step, wibble = size, 100.0

    def displaced(total: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float64]:
        return total / 4 + wibble * (-wibble + (wibble + wibble) * noise)

    while step >= 2:
        half = step // 2
        corner = np.s_[:, 0::step, 0::step]
        middle = np.s_[:, half::step, half::step]
        top, left = np.s_[:, 0::step, half::step], np.s_[:, half::step, 0::step]
        corners = heights[corner]
        pairs = corners + np.roll(corners, -1, axis=1)
        heights[middle] = displaced(pairs + np.roll(pairs, -1, axis=2), uniforms[middle])
        middles = heights[middle]
        above, beside = middles + np.roll(middles, 1, axis=1), middles + np.roll(middles, 1, axis=2)
        across, down = corners + np.roll(corners, -1, axis=2), corners + np.roll(corners, -1, axis=1)
        heights[top] = displaced(above + across, uniforms[top])
        heights[left] = displaced(beside + down, uniforms[left])
        step //= 2
        wibble /= decay
    heights -= heights.min(axis=(1, 2), keepdims=True)
    return heights / heights.max(axis=(1, 2), keepdims=True)
