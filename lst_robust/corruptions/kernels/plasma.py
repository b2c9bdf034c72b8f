"""plasma.py, compiled: the same sums in the same order. Grids are flat float64 arrays, row by row."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from lst_robust.corruptions.kernels.compiling import jit
from lst_robust.corruptions.kernels.filters import U


@jit
def grow_plasma(words, size, decay, heights, spare):
    """The map before scaling, in heights (size * size,). words: uint32 (size * size - 1,); spare: as heights."""
    grid, corners = heights, spare
    levels = 0
    while (1 << levels) < size:
        levels += 1
    if levels % 2 == 0:  # so that the last grid is `heights`
        grid, corners = corners, grid
    middles, edges, n, wibble, used = np.empty(size * size // 4), np.empty(size // 2), 1, 100.0, 0
    corners[0] = 0.0
    while n < size:
        for y in range(n):
            down = (y + 1) % n * n
            _middles_row(corners, y * n, down, words, used + y * n, wibble, middles, n)
        for y in range(n):
            here, down, above = y * n, (y + 1) % n * n, (y - 1) % n * n
            top, left = used + n * n + here, used + 2 * n * n + here
            _grid_rows(corners, here, down, middles, above, words, top, left, wibble, grid, edges, n)
        grid, corners = corners, grid
        wibble, used, n = wibble / decay, used + 3 * n * n, 2 * n


@jit
def _noise(word, wibble):
    return wibble * (-wibble + (wibble + wibble) * ((word + 0.5) * 2.0**-32))


@jit
def _middles_row(corners, here, down, words, used, wibble, middles, n):
    here, down, used = U(here), U(down), U(used)
    for i in range(U(n - 1)):
        left, right = corners[here + i] + corners[down + i], corners[here + U(1) + i] + corners[down + U(1) + i]
        middles[here + i] = (left + right) / 4 + _noise(words[used + i], wibble)
    last = U(n - 1)
    left, right = corners[here + last] + corners[down + last], corners[here] + corners[down]
    middles[here + last] = (left + right) / 4 + _noise(words[used + last], wibble)


@jit
def _edges_row(corners, corners_at, along, middles, middles_at, across, words, used, wibble, first, last, edges):
    """edges = displaced mean of two middles and two corners; `along` and `across` are the other corner and middle."""
    corners_at, along, used = U(corners_at), U(along), U(used)
    middles_at, across = U(middles_at), U(across)
    for i in range(U(first), U(last)):
        total = (middles[middles_at + i] + middles[across + i]) + (corners[corners_at + i] + corners[along + i])
        edges[i] = total / 4 + _noise(words[used + i], wibble)


@jit
def _weave(even, even_at, odd, odd_at, grid, start, n):
    """grid = even, odd, even, odd ..."""
    even_at, odd_at, start = U(even_at), U(odd_at), U(start)
    for i in range(U(n)):
        grid[start + U(2) * i] = even[even_at + i]
        grid[start + U(2) * i + U(1)] = odd[odd_at + i]


@jit
def _grid_rows(corners, here, down, middles, above, words, top, left, wibble, grid, edges, n):
    """Rows 2 * y and 2 * y + 1 of the next grid. The last top and the first left edge lie across the border."""
    _edges_row(corners, here, here + 1, middles, here, above, words, top, wibble, 0, n - 1, edges)
    _edges_row(corners, here, here + 1 - n, middles, here, above, words, top, wibble, n - 1, n, edges)
    _weave(corners, here, edges, 0, grid, 4 * here, n)
    _edges_row(corners, here, down, middles, here, here - 1, words, left, wibble, 1, n, edges)
    _edges_row(corners, here, down, middles, here, here + n - 1, words, left, wibble, 0, 1, edges)
    _weave(edges, 0, middles, here, grid, 4 * here + 2 * n, n)


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
        v, low, high = heights[start + i], least[i], most[i]
        least[i] = v if v < low else low
        most[i] = v if v > high else high
