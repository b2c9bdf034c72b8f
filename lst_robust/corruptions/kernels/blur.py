"""blur.py but for defocus_blur, compiled. Each kernel(images, streams, c) gives the bytes of the plain definition."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lst_robust.corruptions.blur import OFFSETS, GaussianBlur, GlassBlur, MotionBlur, ZoomBlur, draw_motion_blur
from lst_robust.corruptions.filters import axis_zoom, gaussian_weights, motion_taps
from lst_robust.corruptions.kernels.compiling import jit
from lst_robust.corruptions.kernels.filters import (
    U,
    copy_row,
    extend,
    smooth_row,
    tap_starts,
    taps_inside,
    taps_to_levels,
    to_levels,
    zoom_row,
)
from lst_robust.corruptions.kernels.pixels import unit
from lst_robust.corruptions.kernels.streams import CompiledStreams, fill_words
from lst_robust.corruptions.streams import Streams


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
            x[i] = unit(source[i])
        for y in range(height):
            smooth_row(x, y, height, length, channels, weights, False, padded, blurred, 0)
            to_levels(blurred, 0, 255.0, target, y * length, length)
    return result


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
            x[i] = unit(source[i])
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
                x[3 * i + k] = unit((pixels[i] >> np.uint32(8 * k)) & np.uint32(255))
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
    draws = draw_motion_blur(CompiledStreams(streams.keys), images.shape[1], images.shape[2], c)
    taps = motion_taps(draws["angle"], c.radius, c.sigma)
    return _motion_blur(images, taps.weights, taps.dy, taps.dx, c.rounding == "16-bit")


@jit
def _motion_blur(images, weights, dy, dx, sixteen_bit):
    count, height, width, channels = images.shape
    length, pad = width * channels, len(weights)
    stride = length + 2 * pad * channels
    result = np.empty_like(images)
    padded, total = np.empty(height * stride, np.float32), np.empty(length, np.float32)
    starts, doubt = np.empty(len(weights), np.int64), np.zeros(length // 8 + 1, np.uint64)
    bias = 0.5 / 257 if sixteen_bit else 0.0
    for n in range(count):
        source, target = images[n].reshape(-1), result[n].reshape(-1)
        for y in range(height):
            copy_row(source, y * length, padded, y * stride + pad * channels, length)
            extend(padded[y * stride : (y + 1) * stride], pad, length, channels)
        taps = len(weights) if sixteen_bit else taps_inside(dy[n], dx[n], height, width)
        for y in range(height):
            tap_starts(y, height, stride, pad, channels, dy[n], dx[n], starts)
            taps_to_levels(padded, starts, weights, taps, bias, total, doubt, target, y * length)
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
            x[i] = np.float32(unit(source[i]))
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
