"""elastic_transform of digital.py, compiled: the fields, their smoothing and the bilinear look-up, in scipy's order."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lst_robust.corruptions.compiling import jit
from lst_robust.corruptions.digital import elastic_affine, elastic_reach, elastic_scale
from lst_robust.corruptions.kernels_random import fill_words
from lst_robust.corruptions.presets import Elastic
from lst_robust.corruptions.random import Streams

WORD = 2.0**-32
SCALE = np.float32(255)
ZERO, ONE = np.float32(0), np.float32(1)


@lru_cache(maxsize=64)
def half_gaussian(sigma: float) -> np.ndarray:
    """The weights of scipy's gaussian_filter with truncate=3, centre first: float64 (radius + 1,)."""
    radius = int(3 * sigma + 0.5)
    weights = np.exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
    return (weights / weights.sum())[radius:]


@lru_cache(maxsize=64)
def mirrored(length: int, radius: int) -> np.ndarray:
    """Source places of -radius .. length + radius - 1 under the mirror that repeats the edge: int64."""
    places = np.arange(-radius, length + radius) % (2 * length)
    return np.minimum(places, 2 * length - 1 - places)


@jit
def _scale_row(row, weight, out):
    for i in range(len(out)):
        out[i] = row[i] * weight


@jit
def _add_pair(before, after, weight, out):
    for i in range(len(out)):
        out[i] += (before[i] + after[i]) * weight


@jit
def _smooth(field, weights_y, weights_x, mirror_y, mirror_x, scratch, line):
    """Gaussian over height, then width, in place; the outermost taps are added first."""
    height, width = field.shape
    radius = len(weights_y) - 1
    for y in range(height):
        _scale_row(field[y], weights_y[0], scratch[y])
        for k in range(radius, 0, -1):
            before, after = field[mirror_y[radius + y - k]], field[mirror_y[radius + y + k]]
            _add_pair(before, after, weights_y[k], scratch[y])
    radius = len(weights_x) - 1
    for y in range(height):
        for x in range(len(line)):
            line[x] = scratch[y, mirror_x[x]]
        _scale_row(line[radius : radius + width], weights_x[0], field[y])
        for k in range(radius, 0, -1):
            before, after = line[radius - k : radius - k + width], line[radius + k : radius + k + width]
            _add_pair(before, after, weights_x[k], field[y])


@jit
def _uniform(words, reach, out):
    for i in range(len(out)):
        out[i] = -reach + (reach + reach) * ((words[i] + 0.5) * WORD)


@jit
def _mirror(place, length):
    """A coordinate outside [0, length - 1] mirrored at the outer edges of the border pixels, as scipy maps it."""
    if place < 0:
        if place < -2 * length:
            place += 2 * length * np.int64(-place / (2 * length))
        if place < -length:
            return place + 2 * length
        return (1e-15 if place > -1e-15 else -place) - 1
    if place > length - 1:
        place -= 2 * length * np.int64(place / (2 * length))
        if place >= length:
            place = 2 * length - place - 1
    return place


@jit
def _inside(index, length):
    index = -index - 1 if index < 0 else index
    return 2 * length - 1 - index if index >= length else index


@jit
def _look_up(image, dy, dx, alpha, out):
    """Bilinear values of float32 (H, W, 3) at the displaced pixels: uint8 (H, W, 3)."""
    height, width = dy.shape
    for y in range(height):
        for x in range(width):
            place_y = _mirror(y + np.float64(np.float32(dy[y, x] * alpha)), height)
            place_x = _mirror(x + np.float64(np.float32(dx[y, x] * alpha)), width)
            floor_y, floor_x = np.floor(place_y), np.floor(place_x)
            top, left = np.int64(floor_y), np.int64(floor_x)
            bottom, right = _inside(top + 1, height), _inside(left + 1, width)
            top, left = _inside(top, height), _inside(left, width)
            weight_top, weight_left = 1.0 - (place_y - floor_y), 1.0 - (place_x - floor_x)
            weight_bottom, weight_right = 1.0 - weight_top, 1.0 - weight_left
            for channel in range(3):
                value = np.float64(image[top, left, channel]) * weight_top * weight_left
                value += np.float64(image[top, right, channel]) * weight_top * weight_right
                value += np.float64(image[bottom, left, channel]) * weight_bottom * weight_left
                value += np.float64(image[bottom, right, channel]) * weight_bottom * weight_right
                level = np.float32(value)
                level = level if level > ZERO else ZERO
                level = level if level < ONE else ONE
                out[y, x, channel] = np.uint8(np.int32(level * SCALE))


@jit
def _elastic_transform(images, keys, reach, alpha, weights_y, weights_x, mirror_y, mirror_x, out):
    height, width = images.shape[1:3]
    words = np.empty(height * width, np.uint32)
    fields = np.zeros((2, height, width))  # dx, dy
    scratch, line = np.empty((height, width)), np.empty(len(mirror_x))
    for n in range(len(images)):
        if alpha != 0.0:
            for axis in range(2):
                fill_words(keys[n], axis, words)
                _uniform(words, reach, fields[axis].ravel())
                _smooth(fields[axis], weights_y, weights_x, mirror_y, mirror_x, scratch, line)
        _look_up(images[n], fields[1], fields[0], alpha, out[n])


def elastic_transform(images: np.ndarray, streams: Streams, c: Elastic) -> np.ndarray:
    height, width = images.shape[1:3]
    alpha, (sigma_y, sigma_x) = elastic_scale(height, width, c)
    x = images.astype(np.float32) / np.float32(255)
    if c.side:
        offsets = streams.uniform(2, (3, 2), -c.affine * c.side, c.affine * c.side)
        x = np.stack([elastic_affine(image, offset) for image, offset in zip(x, offsets, strict=True)])
    weights_y = half_gaussian(sigma_y) if alpha else np.ones(1)
    weights_x = half_gaussian(sigma_x) if alpha else np.ones(1)
    mirrors = mirrored(height, len(weights_y) - 1), mirrored(width, len(weights_x) - 1)
    out = np.empty_like(images)
    reach = elastic_reach(height, c)
    _elastic_transform(x, streams.keys, reach, float(alpha), weights_y, weights_x, *mirrors, out)
    return out
