"""The height map behind fog: the diamond-square algorithm on a torus, for N images at once.

After the author of ImageNet-C's modification of https://github.com/FLHerne/mapgen (diamondsquare.py).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def plasma(uniforms: NDArray[np.float64], decay: float) -> NDArray[np.float64]:
    """Height maps scaled to [0, 1]. uniforms: (N, size² - 1) of [0, 1), size a power of two -> (N, size, size).

    A grid of n² points gets, from its cells' corners, n² middles, and from both n² points on the cells' upper and n²
    on their left edges; the four make the next grid. Each new point is displaced by its own uniform number, taken in
    that order, and the displacement shrinks by `decay` from grid to grid.
    """
    count, numbers = uniforms.shape
    corners = np.zeros((count, 1, 1))
    wibble, used = 100.0, 0
    while used < numbers:
        n = corners.shape[1]
        noise = wibble * (-wibble + (wibble + wibble) * uniforms[:, used : used + 3 * n * n].reshape(count, 3, n, n))
        down, right = np.roll(corners, -1, axis=1), np.roll(corners, -1, axis=2)
        pairs = corners + down
        middles = (pairs + np.roll(pairs, -1, axis=2)) / 4 + noise[:, 0]
        above, before = np.roll(middles, 1, axis=1), np.roll(middles, 1, axis=2)
        grid = np.empty((count, 2 * n, 2 * n))
        grid[:, 0::2, 0::2], grid[:, 1::2, 1::2] = corners, middles
        grid[:, 0::2, 1::2] = ((middles + above) + (corners + right)) / 4 + noise[:, 1]
        grid[:, 1::2, 0::2] = ((middles + before) + (corners + down)) / 4 + noise[:, 2]
        corners, wibble, used = grid, wibble / decay, used + 3 * n * n
    corners -= corners.min(axis=(1, 2), keepdims=True)
    return corners / corners.max(axis=(1, 2), keepdims=True)
