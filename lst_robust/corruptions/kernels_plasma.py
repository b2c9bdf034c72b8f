"""plasma.py, compiled: the same sums in the same order. Grids are flat float64 arrays, row by row."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from lst_robust.corruptions.compiling import jit
from lst_robust.corruptions.kernels_filters import U


@jit
def grow_plasma(words, size, decay, heights, spare):
    """The map before scaling, in heights (size * size,). words: uint32 (size * size - 1,); spare: as heights."""
    grid, corners = heights, spare
    levels = 0
    while (1 << levels) < size:
        levels += 1
    if levels % 2 == 0:  # so that the last grid is `heights`
        grid, corners = corners, grid
    middles, n, wibble, used = np.empty(size * size // 4), 1, 100.0, 0
    corners[0] = 0.0
    while n < size:
        for y in range(n):
            down = (y + 1) % n * n
            _middles_row(corners, y * n, down, words, used + y * n, wibble, middles, n)
        for y in range(n):
            here, down, above = y * n, (y + 1) % n * n, (y - 1) % n * n
            top, left = used + n * n + here, used + 2 * n * n + here
            _grid_rows(corners, here, down, middles, above, words, top, left, wibble, grid, n)
        grid, corners = corners, grid
        wibble, used, n = wibble / decay, used + 3 * n * n, 2 * n


@jit
def _noise(word, wibble):
    return wibble * (-wibble + (wibble + wibble) * ((word + 0.5) * 2.0**-32))


@jit
def _middles_row(corners, here, down, words, used, wibble, middles, n):
    here, down, used = U(here), U(down), U(used)
    for i in range(U(n - 1)):
        left, right = corners[here + i] + corners[down + i], corners[here + i + U(1)] + corners[down + i + U(1)]
        middles[here + i] = (left + right) / 4 + _noise(words[used + i], wibble)
    last = U(n - 1)
    left, right = corners[here + last] + corners[down + last], corners[here] + corners[down]
    middles[here + last] = (left + right) / 4 + _noise(words[used + last], wibble)


@jit
def _grid_rows(corners, here, down, middles, above, words, top, left, wibble, grid, n):
    """Rows 2 * y and 2 * y + 1 of the next grid."""
    here, down, above, top, left, width = U(here), U(down), U(above), U(top), U(left), U(2 * n)
    upper, lower = U(4) * here, U(4) * here + width
    for i in range(U(n)):
        right = corners[here + i + U(1)] if i + U(1) < U(n) else corners[here]
        total = (middles[here + i] + middles[above + i]) + (corners[here + i] + right)
        grid[upper + U(2) * i] = corners[here + i]
        grid[upper + U(2) * i + U(1)] = total / 4 + _noise(words[top + i], wibble)
    for i in range(U(n)):
        before = middles[here + i - U(1)] if i > U(0) else middles[here + U(n) - U(1)]
        total = (middles[here + i] + before) + (corners[here + i] + corners[down + i])
        grid[lower + U(2) * i] = total / 4 + _noise(words[left + i], wibble)
        grid[lower + U(2) * i + U(1)] = middles[here + i]


@jit
def extremes(heights, size):
    """The least and the greatest height, column by column first, which vectorises."""
    least, most = heights[:size].copy(), heights[:size].copy()
    for y in range(1, size):
        _narrow(heights, y * size, least, most)
    return least.min(), most.max()


@jit
def _narrow(heights, start, least, most):
    start = U(start)
    for i in range(U(len(least))):
        v = heights[start + i]
        least[i] = v if v < least[i] else least[i]
        most[i] = v if v > most[i] else most[i]
