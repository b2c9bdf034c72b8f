"""blur.py, compiled. Each kernel(images, streams, c) gives the bytes of the plain definition."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lst_robust.corruptions.blur import ANGLE, OFFSETS
from lst_robust.corruptions.compiling import jit
from lst_robust.corruptions.filters import axis_zoom, disk, gaussian_weights, motion_taps
from lst_robust.corruptions.kernels_filters import (
    U,
    add_tap,
    extend,
    motion_row,
    smooth_row,
    taps_inside,
    to_levels,
    zoom_row,
)  # fmt: skip
from lst_robust.corruptions.kernels_random import fill_words
from lst_robust.corruptions.presets import DefocusBlur, GaussianBlur, GlassBlur, MotionBlur, ZoomBlur
from lst_robust.corruptions.random import Streams

UNIT = np.arange(256) / 255.0  # what x / 255 is for every level


def gaussian_blur(images: np.ndarray, streams: Streams, c: GaussianBlur) -> np.ndarray:
    """See blur.apply_gaussian_blur."""
    return _gaussian_blur(images, gaussian_weights(c.sigma))


@jit
def _gaussian_blur(images, weights):
    count, height, width, channels = images.shape
    length = width * channels
    result = np.empty_like(images)
    x, blurred = np.empty(height * length), np.empty(length)
    padded = np.empty(length + 2 * (len(weights) - 1) * channels)
    for n in range(count):
        source, target = images[n].reshape(-1), result[n].reshape(-1)
        for i in range(len(source)):
            x[i] = source[i] / 255.0
        for y in range(height):
            smooth_row(x, y, height, length, channels, weights, False, padded, blurred, 0)
            to_levels(blurred, 0, 255.0, target, y * length, length)
    return result


def defocus_blur(images: np.ndarray, streams: Streams, c: DefocusBlur) -> np.ndarray:
    """See blur.apply_defocus_blur: taps in a row come from prefix sums, which are exact for integers."""
    return _defocus_blur(images, *_disk_runs(c.radius, c.alias_sigma))


@lru_cache(maxsize=32)
def _disk_runs(radius: float, alias_sigma: float) -> tuple[np.ndarray, ...]:
    """weights (K,); where each weight's taps (K + 1,) and runs of taps in a row (K + 1,) start; and those.

    taps: (dy, dx); runs: (dy, first dx, the dx after the last).
    """
    kernel = disk(radius, alias_sigma)
    taps: list[tuple[int, int]] = []
    runs: list[tuple[int, int, int]] = []
    first_tap, first_run = [0], [0]
    for offsets in kernel.offsets:
        for dy in np.unique(offsets[:, 0]):
            dx = np.sort(offsets[offsets[:, 0] == dy, 1])
            for part in np.split(dx, np.flatnonzero(np.diff(dx) > 1) + 1):
                if len(part) > 2:
                    runs.append((dy, part[0], part[-1] + 1))
                else:
                    taps.extend((dy, x) for x in part)
        first_tap.append(len(taps))
        first_run.append(len(runs))
    return (
        kernel.weights,
        np.array(first_tap),
        np.array(first_run),
        np.array(taps, np.int64).reshape(-1, 2),
        np.array(runs, np.int64).reshape(-1, 3),
        np.int64(kernel.reach),
    )


@jit
def _defocus_blur(images, weights, first_tap, first_run, taps, runs, reach):
    """Sums are 16-bit: no weight has more than 257 taps, and prefix sums may wrap, since only differences count."""
    count, height, width, channels = images.shape
    length, stride = width * channels, (width + 2 * reach + 1) * channels
    result = np.empty_like(images)
    pixels, sums = np.zeros(height * stride, np.uint8), np.empty(height * stride, np.uint16)
    under, total = np.empty(length, np.uint16), np.empty(length)
    for n in range(count):
        source, target = images[n].reshape(-1), result[n].reshape(-1)
        for y in range(height):
            start = y * stride + reach * channels
            pixels[start : start + length] = source[y * length : (y + 1) * length]
            _mirror(pixels, start, width, channels, reach)
            _prefix_sums(pixels, y * stride, channels, sums, stride)
        for y in range(height):
            total[:] = 0.0
            for k in range(len(weights)):
                under[:] = 0
                t = first_tap[k]
                while t + 4 <= first_tap[k + 1]:
                    a = mirrored(y + taps[t, 0], height) * stride + (reach + taps[t, 1]) * channels
                    b = mirrored(y + taps[t + 1, 0], height) * stride + (reach + taps[t + 1, 1]) * channels
                    c = mirrored(y + taps[t + 2, 0], height) * stride + (reach + taps[t + 2, 1]) * channels
                    d = mirrored(y + taps[t + 3, 0], height) * stride + (reach + taps[t + 3, 1]) * channels
                    _add_4_pixels(under, pixels, a, b, c, d, length)
                    t += 4
                while t < first_tap[k + 1]:
                    a = mirrored(y + taps[t, 0], height) * stride + (reach + taps[t, 1]) * channels
                    _add_pixel(under, pixels, a, length)
                    t += 1
                for r in range(first_run[k], first_run[k + 1]):
                    row = mirrored(y + runs[r, 0], height) * stride
                    a, b = row + (reach + runs[r, 1]) * channels, row + (reach + runs[r, 2]) * channels
                    _add_run(under, sums, a, b, length)
                add_tap(total, under, 0, weights[k], length)
            to_levels(total, 0, 1.0, target, y * length, length)
    return result


@jit
def mirrored(i, length):
    """Reflect-101: the index inside 0..length-1 that i stands for."""
    while i < 0 or i >= length:
        i = -i if i < 0 else 2 * (length - 1) - i
    return i


@jit
def _mirror(pixels, start, width, channels, reach):
    """Extend the row at `start` by `reach` pixels on either side."""
    for x in range(1, reach + 1):
        left, right = mirrored(-x, width), mirrored(width - 1 + x, width)
        for c in range(channels):
            pixels[start - x * channels + c] = pixels[start + left * channels + c]
            pixels[start + (width - 1 + x) * channels + c] = pixels[start + right * channels + c]


@jit
def _prefix_sums(pixels, start, channels, sums, stride):
    """sums[x] = pixels[0] + ... + pixels[x - 1] on one row, each channel on its own."""
    for c in range(channels):
        total = np.uint16(0)
        for i in range(start + c, start + stride, channels):
            sums[i] = total
            total = np.uint16(total + pixels[i])


@jit
def _add_pixel(under, pixels, a, length):
    a = U(a)
    for i in range(U(length)):
        under[i] = np.uint16(under[i] + np.uint16(pixels[a + i]))


@jit
def _add_4_pixels(under, pixels, a, b, c, d, length):
    a, b, c, d = U(a), U(b), U(c), U(d)
    for i in range(U(length)):
        ab, cd = np.uint16(pixels[a + i] + pixels[b + i]), np.uint16(pixels[c + i] + pixels[d + i])
        under[i] = np.uint16(under[i] + np.uint16(ab + cd))


@jit
def _add_run(under, sums, a, b, length):
    a, b = U(a), U(b)
    for i in range(U(length)):
        under[i] = np.uint16(under[i] + np.uint16(sums[b + i] - sums[a + i]))


def glass_blur(images: np.ndarray, streams: Streams, c: GlassBlur) -> np.ndarray:
    """See blur.apply_glass_blur: the sequential scan itself, its offsets made on the way."""
    return _glass_blur(images, streams.keys, gaussian_weights(c.sigma), c.max_delta, c.iterations)


@jit
def _glass_blur(images, keys, weights, d, iterations):
    count, height, width, channels = images.shape
    length = width * channels
    result = np.empty_like(images)
    x, blurred = np.empty(height * length), np.empty(length)
    padded = np.empty(length + 2 * (len(weights) - 1) * channels)
    levels, pixels = np.empty(length, np.uint8), np.empty(height * width, np.uint32)  # a pixel in one word
    words = np.empty(iterations * (height - 2 * d) * (width - 2 * d), np.uint32)
    offset = np.empty((2 * d) ** 2, np.int64)
    for pair in range(len(offset)):
        offset[pair] = (pair // (2 * d) - d) * width + pair % (2 * d) - d
    for n in range(count):
        source, target = images[n].reshape(-1), result[n].reshape(-1)
        for i in range(len(source)):
            x[i] = source[i] / 255.0
        for y in range(height):
            smooth_row(x, y, height, length, channels, weights, False, padded, blurred, 0)
            to_levels(blurred, 0, 255.0, levels, 0, length)
            pack(levels, pixels[y * width : (y + 1) * width])
        fill_words(keys[n], OFFSETS, words)
        first = 0
        for _ in range(iterations):
            for y in range(height - d, d, -1):
                scan(pixels, y * width + width - d, words, first, offset, width - 2 * d)
                first += width - 2 * d
        for i in range(len(pixels)):
            for k in range(3):
                x[3 * i + k] = ((pixels[i] >> np.uint32(8 * k)) & np.uint32(255)) / 255.0
        for y in range(height):
            smooth_row(x, y, height, length, channels, weights, False, padded, blurred, 0)
            to_levels(blurred, 0, 255.0, target, y * length, length)
    return result


@jit
def pack(levels, pixels):
    """Three levels into each pixel."""
    for i in range(len(pixels)):
        r, g, b = np.uint32(levels[3 * i]), np.uint32(levels[3 * i + 1]), np.uint32(levels[3 * i + 2])
        pixels[i] = r | (g << np.uint32(8)) | (b << np.uint32(16))


@jit
def scan(pixels, last, words, first, offset, length):
    """One row of the scan, from `last` to the left: each pixel takes over a near one, as it then is."""
    choices = U(len(offset))
    for i in range(U(length)):
        here = U(last) - i
        pixels[here] = pixels[here + U(offset[(U(words[U(first) + i]) * choices) >> U(32)])]


def motion_blur(images: np.ndarray, streams: Streams, c: MotionBlur) -> np.ndarray:
    """See blur.apply_motion_blur."""
    taps = motion_taps(streams.uniform(ANGLE, (), -45, 45), c.radius, c.sigma)
    return _motion_blur(images, taps.weights, taps.dy, taps.dx, c.rounding == "16-bit")


@jit
def _motion_blur(images, weights, dy, dx, sixteen_bit):
    count, height, width, channels = images.shape
    length, pad = width * channels, len(weights)
    stride = length + 2 * pad * channels
    result = np.empty_like(images)
    padded, total = np.empty(height * stride, np.float32), np.empty(length)
    bias = 0.5 / 257 if sixteen_bit else 0.0
    for n in range(count):
        source, target = images[n].reshape(-1), result[n].reshape(-1)
        for y in range(height):
            row = padded[y * stride : (y + 1) * stride]
            for i in range(length):
                row[pad * channels + i] = source[y * length + i]
            extend(row, pad, length, channels)
        taps = len(weights) if sixteen_bit else taps_inside(dy[n], dx[n], height, width)
        for y in range(height):
            motion_row(padded, pad, y, height, length, channels, weights, dy[n], dx[n], taps, total)
            for i in range(length):
                total[i] += bias
            to_levels(total, 0, 1.0, target, y * length, length)
    return result


def zoom_blur(images: np.ndarray, streams: Streams, c: ZoomBlur) -> np.ndarray:
    """See blur.apply_zoom_blur."""
    return _zoom_blur(images, *_zoom_tables(images.shape[1], images.shape[2], c))


@lru_cache(maxsize=64)
def _zoom_tables(height: int, width: int, c: ZoomBlur) -> tuple[np.ndarray, ...]:
    """For every factor, of the rows and columns inside the image: first (F, size), low and high (F, size)."""
    factors = np.arange(c.start, c.stop, c.step)
    tables: list[np.ndarray] = []
    for size in (height, width):
        axes = [axis_zoom(size, factor) for factor in factors]
        for part in ("first", "low", "high"):
            tables.append(np.stack([getattr(axis, part)[:size] for axis in axes]))
        tables.append(np.array([axis.stop for axis in axes]))
    return tuple(tables)


@jit
def _zoom_blur(images, first_y, low_y, high_y, stop_y, first_x, low_x, high_x, stop_x):
    count, height, width, channels = images.shape
    length, factors = width * channels, len(first_y)
    result = np.empty_like(images)
    x, total = np.empty(height * length, np.float32), np.empty(height * length, np.float32)
    upper, lower, mean = np.empty(length), np.empty(length), np.empty(length, np.float32)
    low, high = np.empty((factors, length)), np.empty((factors, length))
    for f in range(factors):
        for i in range(length):
            low[f, i], high[f, i] = low_x[f, i // channels], high_x[f, i // channels]
    for n in range(count):
        source, target = images[n].reshape(-1), result[n].reshape(-1)
        for i in range(len(source)):
            x[i] = np.float32(source[i] / 255.0)
            total[i] = np.float32(0)
        for f in range(factors):
            have = -2  # the source row that `upper` holds; `lower` holds the next
            for y in range(height):
                row = first_y[f, y]
                if row != have:
                    if row == have + 1:
                        upper, lower = lower, upper
                    else:
                        zoom_row(x, row * length, first_x[f], stop_x[f], low[f], high[f], channels, upper)
                    below = min(row + 1, stop_y[f] - 1)
                    zoom_row(x, below * length, first_x[f], stop_x[f], low[f], high[f], channels, lower)
                    have = row
                _add_blend(total, y * length, upper, lower, low_y[f, y], high_y[f, y], length)
        for y in range(height):
            _add_and_divide(x, total, y * length, np.float32(factors + 1), mean, length)
            to_levels(mean, 0, np.float32(255), target, y * length, length)
    return result


@jit
def _add_blend(total, start, upper, lower, low, high, length):
    """total += float32 of upper * low + lower * high, on one row."""
    start = U(start)
    for i in range(U(length)):
        total[start + i] += np.float32(upper[i] * low + lower[i] * high)


@jit
def _add_and_divide(x, total, start, divisor, mean, length):
    start = U(start)
    for i in range(U(length)):
        mean[i] = (x[start + i] + total[start + i]) / divisor
