"""weather.py but for spatter, compiled. Each kernel(images, streams, c) gives the bytes of the plain definition."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lst_robust.corruptions.filters import AxisZoom, axis_zoom, motion_taps
from lst_robust.corruptions.kernels.compiling import jit
from lst_robust.corruptions.kernels.filters import (
    U,
    copy_row,
    extend,
    sum_taps,
    tap_starts,
    taps_inside,
    to_levels,
    zoom_row,
)
from lst_robust.corruptions.kernels.pixels import unit
from lst_robust.corruptions.kernels.plasma import extremes, grow_plasma
from lst_robust.corruptions.kernels.streams import CompiledStreams, fill_normals, fill_words
from lst_robust.corruptions.streams import Streams
from lst_robust.corruptions.textures import frost_textures_for
from lst_robust.corruptions.weather import ANGLE, FIELD, LUMA, Fog, Frost, Snow, draw_frost, fog_map_size

F = np.float32
LEVELS, LIFT, HALF = F(255), F(1.5), F(0.5)
LUMA_R, LUMA_G, LUMA_B = LUMA


def frost(images: np.ndarray, streams: Streams, c: Frost) -> np.ndarray:
    """See weather.apply_frost."""
    height, width = images.shape[1:3]
    draws = draw_frost(CompiledStreams(streams.keys), height, width, c)
    textures = frost_textures_for(c, height, width)
    weights = float(c.image_weight), float(c.texture_weight)
    return _frost(images, textures, draws["texture"], draws["top"], draws["left"], *weights)


@jit
def _frost(images, textures, which, top, left, image_weight, texture_weight):
    channels, result = images.shape[3], np.empty_like(images)
    for n in range(len(images)):
        texture = textures[which[n]]
        for y in range(images.shape[1]):
            crop = texture[top[n] + y].reshape(-1)[left[n] * channels :]
            _frost_row(images[n, y].reshape(-1), crop, image_weight, texture_weight, result[n, y].reshape(-1))
    return result


@jit
def _frost_row(source, crop, image_weight, texture_weight, out):
    for i in range(len(out)):
        level = np.int32(image_weight * source[i] + texture_weight * crop[i])
        out[i] = np.uint8(min(level, np.int32(255)))


def fog(images: np.ndarray, streams: Streams, c: Fog) -> np.ndarray:
    """See weather.apply_fog."""
    size = fog_map_size(images.shape[1], images.shape[2], c)
    return _fog(images, streams.keys, size, float(c.amount), float(c.decay))


@jit
def _fog(images, keys, size, amount, decay):
    count, height, width, channels = images.shape
    length = width * channels
    result = np.empty_like(images)
    words, heights, spare = np.empty(size * size - 1, np.uint32), np.empty(size * size), np.empty(size * size)
    haze, x = np.empty(length), np.empty(length)
    for n in range(count):
        source, target = images[n].reshape(-1), result[n].reshape(-1)
        fill_words(keys[n], FIELD, words)
        grow_plasma(words, size, decay, heights, spare)
        least, most = extremes(heights, size)
        brightest = unit(source.max())
        for y in range(height):
            _haze_row(heights, y * size, least, most - least, amount, haze)
            _fog_row(source, y * length, haze, brightest, brightest + amount, x)
            to_levels(x, 0, 255.0, target, y * length, length)
    return result


@jit
def _haze_row(heights, start, least, span, amount, haze):
    """amount times the scaled heights, the same for the three channels."""
    start = U(start)
    for i in range(U(len(haze) // 3)):
        v = amount * ((heights[start + i] - least) / span)
        haze[U(3) * i], haze[U(3) * i + U(1)], haze[U(3) * i + U(2)] = v, v, v


@jit
def _fog_row(source, start, haze, brightest, whole, x):
    start = U(start)
    for i in range(U(len(x))):
        x[i] = (unit(source[start + i]) + haze[i]) * brightest / whole


def snow(images: np.ndarray, streams: Streams, c: Snow) -> np.ndarray:
    """See weather.apply_snow."""
    uncropped = c.layer == "float-uncropped"
    rows, columns = (_snow_axis(side, c.zoom, uncropped) for side in images.shape[1:3])
    angles = CompiledStreams(streams.keys).uniform(ANGLE, (), -135, -45)
    taps = motion_taps(angles, c.radius, c.sigma)
    numbers = float(c.mean), float(c.std), float(c.threshold), np.float32(c.mix), np.float32(1 - c.mix)
    return _snow(images, streams.keys, tuple(rows)[1:], tuple(columns)[1:], tuple(taps), numbers, uncropped)


@lru_cache(maxsize=32)
def _snow_axis(length: int, factor: float, uncropped: bool) -> AxisZoom:
    """The zoom of the field's own pixels; only to the middle `length` pixels, unless `uncropped`."""
    axis = axis_zoom(length, factor).cropped()
    cut = 0 if uncropped else (len(axis.first) - length) // 2
    kept = slice(cut, None if uncropped else cut + length)
    return axis._replace(first=axis.first[kept], low=axis.low[kept], high=axis.high[kept])


@jit
def _snow(images, keys, rows, columns, taps, numbers, uncropped):
    count, height, width, channels = images.shape
    length = width * channels
    (rows_kept, first_y, low_y, high_y), (columns_kept, first_x, low_x, high_x) = rows, columns
    weights, dy, dx = taps
    mean, std, threshold, mix, rest = numbers
    high_flakes, wide_flakes, pad = len(first_y), len(first_x), len(weights)
    stride = wide_flakes + 2 * pad
    result = np.empty_like(images)
    normals, field = np.empty(rows_kept * columns_kept, np.float32), np.empty(rows_kept * columns_kept)
    upper, lower, flakes = np.empty(wide_flakes), np.empty(wide_flakes), np.empty(wide_flakes)
    padded, blurred, layer = np.empty(high_flakes * stride), np.empty(wide_flakes), np.empty(height * width)
    x, starts = np.empty(length), np.empty(len(weights), np.int64)
    for n in range(count):
        source, target = images[n].reshape(-1), result[n].reshape(-1)
        fill_normals(keys[n], FIELD, normals)
        for i in range(len(field)):
            field[i] = mean + std * np.float64(normals[i])
        have = -2
        for y in range(high_flakes):
            row = first_y[y]
            if row != have:
                if row == have + 1:
                    upper, lower = lower, upper
                else:
                    zoom_row(field, row * columns_kept, first_x, columns_kept, low_x, high_x, 1, upper)
                below = min(row + 1, rows_kept - 1)
                zoom_row(field, below * columns_kept, first_x, columns_kept, low_x, high_x, 1, lower)
                have = row
            flake_row(upper, lower, low_y[y], high_y[y], threshold, uncropped, flakes)
            copy_row(flakes, 0, padded, y * stride + pad, wide_flakes)
            extend(padded[y * stride : (y + 1) * stride], pad, wide_flakes, 1)
        inside = taps_inside(dy[n], dx[n], high_flakes, wide_flakes) if uncropped else len(weights)
        for y in range(height):
            tap_starts(y, high_flakes, stride, pad, 1, dy[n], dx[n], starts)
            sum_taps(padded, starts, weights, inside, blurred)
            layer_row(blurred, uncropped, layer[y * width : (y + 1) * width])
        for y in range(height):
            turned = layer[(height - 1 - y) * width : (height - y) * width][::-1]
            snow_row(source[y * length : (y + 1) * length], layer[y * width : (y + 1) * width], turned, mix, rest, x)
            to_levels(x, 0, 255.0, target, y * length, length)
    return result


@jit
def flake_row(upper, lower, low, high, threshold, in_unit, out):
    """One row of flakes, in [0, 1] if `in_unit`, else on 256 levels."""
    for i in range(len(out)):
        v = upper[i] * low + lower[i] * high
        v = 0.0 if v < threshold else v
        v = min(max(v, 0.0), 1.0)
        out[i] = v if in_unit else np.float64(np.int32(v * 255))


@jit
def layer_row(blurred, in_unit, out):
    """Rounds a blurred row of flakes to levels, the two ways of weather.snow_layer; out in [0, 1]."""
    for i in range(len(out)):
        level = np.rint(blurred[i] * 255) if in_unit else min(np.floor(blurred[i] + 0.5 / 257), 255.0)
        out[i] = level / 255.0


@jit
def snow_row(source, layer, turned, mix, rest, out):
    for i in range(len(layer)):
        r, g, b = F(source[3 * i]) / LEVELS, F(source[3 * i + 1]) / LEVELS, F(source[3 * i + 2]) / LEVELS
        lift = (r * LUMA_R + g * LUMA_G + b * LUMA_B) * LIFT + HALF
        out[3 * i] = (mix * r + rest * max(r, lift)) + layer[i] + turned[i]
        out[3 * i + 1] = (mix * g + rest * max(g, lift)) + layer[i] + turned[i]
        out[3 * i + 2] = (mix * b + rest * max(b, lift)) + layer[i] + turned[i]
