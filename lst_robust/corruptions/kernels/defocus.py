"""blur.py's defocus_blur, compiled: a disk's sums from prefix sums of each row, which are exact for integers."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from lst_robust.corruptions.blur import DefocusBlur
from lst_robust.corruptions.filters import Taps, disk
from lst_robust.corruptions.kernels.compiling import jit
from lst_robust.corruptions.kernels.filters import U, add_tap, copy_row, to_levels
from lst_robust.corruptions.streams import Streams


def defocus_blur(images: np.ndarray, streams: Streams, c: DefocusBlur) -> np.ndarray:
    """See blur.apply_defocus_blur: the sums under the disk come from prefix sums, which are exact for integers."""
    return _defocus_blur(images, *_disk_tables(c.radius, c.alias_sigma))


@lru_cache(maxsize=32)
def _disk_tables(radius: float, alias_sigma: float) -> tuple[Any, ...]:
    """Runs of the disk's rows, (dy + reach, first dx, the dx after the last), and its taps by equal weight."""
    kernel = disk(radius, alias_sigma)
    places = (*kernel.smooth.offsets, *kernel.rest.offsets, kernel.inside)
    reach = max(int(np.abs(offsets).max()) for offsets in places)
    rows = np.unique(kernel.inside[:, 0])
    spans = [kernel.inside[kernel.inside[:, 0] == dy, 1] for dy in rows]
    runs = [(dy + reach, dx.min() * 3, (dx.max() + 1) * 3) for dy, dx in zip(rows, spans, strict=True)]
    return np.array(runs), _tap_tables(kernel.smooth, reach), _tap_tables(kernel.rest, reach), reach


def _tap_tables(taps: Taps, reach: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """weights (K,); where each weight's taps start (K + 1,); the taps as (dy + reach, 3 * dx)."""
    places = np.concatenate([np.empty((0, 2), np.int64), *taps.offsets]) * (1, 3) + (reach, 0)
    return taps.weights, np.cumsum([0, *map(len, taps.offsets)]), places


@jit
def _defocus_blur(images, runs, smooth, rest, reach):
    """Prefix sums are 16-bit and may wrap, since only differences count and a run is short."""
    count, height, width, channels = images.shape
    length, pad = width * channels, reach * channels
    stride = length + 2 * pad + channels
    result = np.empty_like(images)
    pixels, sums = np.zeros(height * stride, np.uint8), np.empty(height * stride, np.uint16)
    disks, total = np.zeros(height * stride, np.int32), np.empty(length)
    under_disks, under_pixels = np.empty(length, np.int32), np.empty(length, np.uint16)
    row = np.empty(2 * reach + 1, np.int64)
    for n in range(count):
        source, target = images[n].reshape(-1), result[n].reshape(-1)
        for y in range(height):
            copy_row(source, y * length, pixels, y * stride + pad, length)
            _mirror(pixels, y * stride + pad, width, channels, reach)
            _prefix_sums(pixels, y * stride, channels, sums, stride)
        for y in range(height):
            _rows_around(y, height, stride, pad, row)
            here = y * stride + pad
            disks[here : here + length] = 0
            r = 0
            while r + 4 <= len(runs):
                _add_4_runs(disks, here, sums, row, runs[r : r + 4], length)
                r += 4
            while r < len(runs):
                _add_run(disks, here, sums, row, runs[r], length)
                r += 1
            _mirror(disks, here, width, channels, reach)
        for y in range(height):
            _rows_around(y, height, stride, pad, row)
            total[:] = 0.0
            _add_taps(total, under_disks, disks, row, smooth, length)
            _add_taps(total, under_pixels, pixels, row, rest, length)
            to_levels(total, 0, 1.0, target, y * length, length)
    return result


@jit
def _rows_around(y, height, stride, pad, row):
    """Where the rows y - reach .. y + reach start, reflect-101 outside."""
    reach = len(row) // 2
    for dy in range(-reach, reach + 1):
        row[dy + reach] = mirrored(y + dy, height) * stride + pad


@jit
def mirrored(i, length):
    """Reflect-101: the index inside 0..length-1 that i stands for."""
    while i < 0 or i >= length:
        i = -i if i < 0 else 2 * (length - 1) - i
    return i


@jit
def _mirror(x, start, width, channels, reach):
    """Extend the row at `start` by `reach` pixels on either side."""
    for i in range(1, reach + 1):
        left, right = mirrored(-i, width), mirrored(width - 1 + i, width)
        for c in range(channels):
            x[start - i * channels + c] = x[start + left * channels + c]
            x[start + (width - 1 + i) * channels + c] = x[start + right * channels + c]


@jit
def _prefix_sums(pixels, start, channels, sums, stride):
    """sums[x] = pixels[0] + ... + pixels[x - 1] on one row, each channel on its own."""
    for c in range(channels):
        total = np.uint16(0)
        for i in range(start + c, start + stride, channels):
            sums[i] = total
            total = np.uint16(total + pixels[i])


@jit
def _add_run(disks, here, sums, row, run, length):
    here, a, b = U(here), U(row[run[0]] + run[1]), U(row[run[0]] + run[2])
    for i in range(U(length)):
        disks[here + i] += np.int32(np.uint16(sums[b + i] - sums[a + i]))


@jit
def _add_4_runs(disks, here, sums, row, runs, length):
    here, a0, b0 = U(here), U(row[runs[0, 0]] + runs[0, 1]), U(row[runs[0, 0]] + runs[0, 2])
    a1, b1 = U(row[runs[1, 0]] + runs[1, 1]), U(row[runs[1, 0]] + runs[1, 2])
    a2, b2 = U(row[runs[2, 0]] + runs[2, 1]), U(row[runs[2, 0]] + runs[2, 2])
    a3, b3 = U(row[runs[3, 0]] + runs[3, 1]), U(row[runs[3, 0]] + runs[3, 2])
    for i in range(U(length)):
        s0, s1 = np.uint16(sums[b0 + i] - sums[a0 + i]), np.uint16(sums[b1 + i] - sums[a1 + i])
        s2, s3 = np.uint16(sums[b2 + i] - sums[a2 + i]), np.uint16(sums[b3 + i] - sums[a3 + i])
        disks[here + i] += np.int32(np.uint16(s0 + s1)) + np.int32(np.uint16(s2 + s3))


@jit
def _add_taps(total, under, x, row, tables, length):
    """total += weight * (the sum of x at the weight's taps), weight by weight, on one row."""
    weights, first, taps = tables
    for k in range(len(weights)):
        under[:] = 0
        t = first[k]
        while t + 4 <= first[k + 1]:
            a, b = row[taps[t, 0]] + taps[t, 1], row[taps[t + 1, 0]] + taps[t + 1, 1]
            c, d = row[taps[t + 2, 0]] + taps[t + 2, 1], row[taps[t + 3, 0]] + taps[t + 3, 1]
            _add_4(under, x, a, b, c, d, length)
            t += 4
        while t < first[k + 1]:
            _add_1(under, x, row[taps[t, 0]] + taps[t, 1], length)
            t += 1
        add_tap(total, under, 0, weights[k], length)


@jit
def _add_1(under, x, a, length):
    exact = under.dtype.type
    a = U(a)
    for i in range(U(length)):
        under[i] = exact(under[i] + exact(x[a + i]))


@jit
def _add_4(under, x, a, b, c, d, length):
    exact = under.dtype.type
    a, b, c, d = U(a), U(b), U(c), U(d)
    for i in range(U(length)):
        ab, cd = exact(x[a + i] + x[b + i]), exact(x[c + i] + x[d + i])
        under[i] = exact(under[i] + exact(ab + cd))
