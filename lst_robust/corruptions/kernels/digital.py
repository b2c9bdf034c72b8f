"""pixelate of digital.py, compiled: fixed-point box averages. (jpeg_compression is in jpeg.py.)"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from lst_robust.corruptions.boxes import HALF, PRECISION, box_blocks, repeated
from lst_robust.corruptions.digital import Pixelate
from lst_robust.corruptions.kernels.compiling import jit
from lst_robust.corruptions.streams import Streams


@jit
def _average_columns(row, first, stop, weights, out):
    """One image row (width * 3) to (blocks * 3)."""
    for block in range(len(first)):
        red, green, blue = np.int32(0), np.int32(0), np.int32(0)
        for place in range(3 * first[block], 3 * stop[block], 3):
            red += np.int32(row[place])
            green += np.int32(row[place + 1])
            blue += np.int32(row[place + 2])
        weight = weights[block]
        out[3 * block] = np.uint8((red * weight + HALF) >> PRECISION)
        out[3 * block + 1] = np.uint8((green * weight + HALF) >> PRECISION)
        out[3 * block + 2] = np.uint8((blue * weight + HALF) >> PRECISION)


@jit
def _add_row(row, sums):
    for i in range(len(sums)):
        sums[i] += np.int32(row[i])


@jit
def _finish_row(sums, weight, out):
    for i in range(len(sums)):
        out[i] = np.uint8(np.int32(np.int32(sums[i] * weight) + np.int32(HALF)) >> np.int32(PRECISION))


@jit
def _spread_row(blocks, columns, out):
    for x in range(len(columns)):
        block = 3 * columns[x]
        out[3 * x], out[3 * x + 1], out[3 * x + 2] = blocks[block], blocks[block + 1], blocks[block + 2]


@jit
def _pixelate(images, first_x, stop_x, weights_x, first_y, stop_y, weights_y, columns, rows, out):
    narrow = np.empty((images.shape[1], 3 * len(first_x)), np.uint8)
    small = np.empty((len(first_y), 3 * len(first_x)), np.uint8)
    sums = np.empty(3 * len(first_x), np.int32)
    for n in range(len(images)):
        for y in range(len(narrow)):
            _average_columns(images[n, y], first_x, stop_x, weights_x, narrow[y])
        for block in range(len(small)):
            sums[:] = 0
            for y in range(first_y[block], stop_y[block]):
                _add_row(narrow[y], sums)
            _finish_row(sums, weights_y[block], small[block])
        for y in range(len(rows)):
            if y and rows[y] == rows[y - 1]:
                out[n, y] = out[n, y - 1]
            else:
                _spread_row(small[rows[y]], columns, out[n, y])


def pixelate(images: np.ndarray, streams: Streams, c: Pixelate) -> np.ndarray:
    count, height, width = images.shape[:3]
    small_height, small_width = int(height * c.factor), int(width * c.factor)
    out = np.empty_like(images)
    _pixelate(
        images.reshape(count, height, width * 3),
        *box_blocks(width, small_width),
        *box_blocks(height, small_height),
        repeated(small_width, width, c.upsample),
        repeated(small_height, height, c.upsample),
        out.reshape(count, height, width * 3),
    )
    return out
