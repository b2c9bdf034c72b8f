"""elastic_transform of digital.py, compiled: affine warp, fields, their smoothing, look-up, in scipy's order."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lst_robust.corruptions.elastic import Elastic, elastic_matrix, elastic_offsets, elastic_reach, elastic_scale
from lst_robust.corruptions.kernels.compiling import jit
from lst_robust.corruptions.kernels.pixels import join_channels
from lst_robust.corruptions.kernels.streams import fill_words
from lst_robust.corruptions.streams import Streams

WORD = 2.0**-32
SCALE = np.float32(255)
ZERO, ONE = np.float32(0), np.float32(1)


@lru_cache(maxsize=64)
def half_gaussian(sigma: float) -> np.ndarray:
    """The weights of scipy's gaussian_filter with truncate=3, centre first, then zeros until the pairs of taps can be
    taken four by four: float64 (1 + a multiple of 4,)."""
    radius = int(3 * sigma + 0.5)
    weights = np.exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
    return np.append((weights / weights.sum())[radius:], np.zeros(-radius % 4))


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
def _add_four_pairs(a, b, c, d, e, f, g, h, weights, out):
    """out plus four weighted pairs, the pair of the last weight first."""
    w0, w1, w2, w3 = weights[3], weights[2], weights[1], weights[0]
    for i in range(len(out)):
        out[i] = (((out[i] + (a[i] + b[i]) * w0) + (c[i] + d[i]) * w1) + (e[i] + f[i]) * w2) + (g[i] + h[i]) * w3


@jit
def _smooth_rows(field, weights, mirror, out):
    """Gaussian over the height; the outermost taps are added first."""
    radius, m = len(weights) - 1, mirror
    for y in range(len(field)):
        _scale_row(field[y], weights[0], out[y])
        for k in range(radius, 0, -4):
            i, j = radius + y - k, radius + y + k
            _add_four_pairs(
                field[m[i]], field[m[j]], field[m[i + 1]], field[m[j - 1]],
                field[m[i + 2]], field[m[j - 2]], field[m[i + 3]], field[m[j - 3]],
                weights[k - 3 : k + 1], out[y],
            )  # fmt: skip


@jit
def _smooth_columns(field, weights, mirror, line, out):
    """Gaussian over the width, each row copied with its mirrored ends into `line`."""
    radius, n = len(weights) - 1, field.shape[1]
    for y in range(len(field)):
        for x in range(len(line)):
            line[x] = field[y, mirror[x]]
        _scale_row(line[radius : radius + n], weights[0], out[y])
        for k in range(radius, 0, -4):
            i, j = radius - k, radius + k
            _add_four_pairs(
                line[i : i + n], line[j : j + n], line[i + 1 : i + 1 + n], line[j - 1 : j - 1 + n],
                line[i + 2 : i + 2 + n], line[j - 2 : j - 2 + n], line[i + 3 : i + 3 + n], line[j - 3 : j - 3 + n],
                weights[k - 3 : k + 1], out[y],
            )  # fmt: skip


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
def _inside(index, length, repeat):
    """A pixel index mirrored into the image, the border pixel repeated (repeat 1) or not (0)."""
    index %= 2 * (length - 1 + repeat)
    return min(index, 2 * (length - 1) + repeat - index)


@jit
def _places(start, step, field, alpha, length, places):
    """start + step * x + field * alpha, mirrored into the image."""
    outside = 0
    for x in range(len(field)):
        place = (start + step * x) + np.float64(np.float32(field[x] * alpha))
        places[x] = place
        outside += np.int64(place < 0.0) | np.int64(place > length - 1)
    if outside:
        for x in range(len(places)):
            places[x] = _mirror(places[x], length)


@jit
def _split(places, index, weight, weight_after):
    for x in range(len(places)):
        floor = np.floor(places[x])
        index[x] = np.int32(floor)
        weight[x] = 1.0 - (places[x] - floor)
        weight_after[x] = 1.0 - weight[x]


@jit
def _copy_pixel(image, pixel, taps, corner, x):
    taps[0, corner, x] = image[np.uint64(3 * pixel)]
    taps[1, corner, x] = image[np.uint64(3 * pixel + 1)]
    taps[2, corner, x] = image[np.uint64(3 * pixel + 2)]


@jit
def _gather(image, height, width, tops, lefts, repeat, taps):
    """The four neighbours of each place. image: float32 (H * W * 3,); taps: (3 channels, 4, W)."""
    for x in range(len(tops)):
        top, left = np.int64(tops[x]), np.int64(lefts[x])
        bottom, right = top + 1, left + 1
        if top < 0 or left < 0 or bottom >= height or right >= width:
            bottom, right = _inside(bottom, height, repeat), _inside(right, width, repeat)
            top, left = _inside(top, height, repeat), _inside(left, width, repeat)
        _copy_pixel(image, top * width + left, taps, 0, x)
        _copy_pixel(image, top * width + right, taps, 1, x)
        _copy_pixel(image, bottom * width + left, taps, 2, x)
        _copy_pixel(image, bottom * width + right, taps, 3, x)


@jit
def _unit(pixels, out):
    for i in range(len(pixels)):
        out[i] = np.float32(pixels[i]) / SCALE


@jit
def _fused(a, b, c):
    return np.float32(np.float64(a) * np.float64(b) + np.float64(c))


@jit
def _affine_places(slope, start, index, along):
    """slope * x + start for x = 0, 1, ...: the pixel below each and the way to the next."""
    for x in range(len(index)):
        place = _fused(np.float32(np.int32(x)), slope, start)
        floor = np.floor(place)
        index[x] = np.int32(floor)
        along[x] = place - floor


@jit
def _affine_blend(taps, along_x, along_y, out):
    a, b, c, d = taps[0], taps[1], taps[2], taps[3]
    for x in range(len(out)):
        upper = _fused(along_x[x], b[x] - a[x], a[x])
        lower = _fused(along_x[x], d[x] - c[x], c[x])
        out[x] = _fused(along_y[x], lower - upper, upper)


@jit
def _affine(image, height, width, matrix, out):
    """digital.elastic_affine of one image: float32 (H * W * 3,) to the same."""
    tops, lefts = np.empty(width, np.int32), np.empty(width, np.int32)
    along_x, along_y = np.empty(width, np.float32), np.empty(width, np.float32)
    taps, channels = np.empty((3, 4, width), np.float32), np.empty((3, width), np.float32)
    for y in range(height):
        row = np.float32(y)
        _affine_places(matrix[0, 0], row * matrix[0, 1] + matrix[0, 2], lefts, along_x)
        _affine_places(matrix[1, 0], row * matrix[1, 1] + matrix[1, 2], tops, along_y)
        _gather(image, height, width, tops, lefts, 0, taps)
        for channel in range(3):
            _affine_blend(taps[channel], along_x, along_y, channels[channel])
        join_channels(channels[0], channels[1], channels[2], out[3 * width * y : 3 * width * (y + 1)])


@jit
def _blend(taps, top, bottom, left, right, out):
    a, b, c, d = taps[0], taps[1], taps[2], taps[3]
    for x in range(len(out)):
        value = np.float64(a[x]) * top[x] * left[x]
        value += np.float64(b[x]) * top[x] * right[x]
        value += np.float64(c[x]) * bottom[x] * left[x]
        value += np.float64(d[x]) * bottom[x] * right[x]
        level = np.float32(value)
        level = level if level > ZERO else ZERO
        level = level if level < ONE else ONE
        out[x] = np.uint8(np.int32(level * SCALE))


@jit
def _look_up(image, dy, dx, alpha, out):
    """Bilinear values of float32 (H * W * 3,) at the displaced pixels, a row at a time: uint8 (H, W * 3)."""
    height, width = dy.shape
    places, tops, lefts = np.empty(width), np.empty(width, np.int32), np.empty(width, np.int32)
    top, bottom, left, right = np.empty(width), np.empty(width), np.empty(width), np.empty(width)
    taps, channels = np.empty((3, 4, width), np.float32), np.empty((3, width), np.uint8)
    for y in range(height):
        _places(y, 0, dy[y], alpha, height, places)
        _split(places, tops, top, bottom)
        _places(0, 1, dx[y], alpha, width, places)
        _split(places, lefts, left, right)
        _gather(image, height, width, tops, lefts, 1, taps)
        for channel in range(3):
            _blend(taps[channel], top, bottom, left, right, channels[channel])
        join_channels(channels[0], channels[1], channels[2], out[y])


@jit
def _elastic_transform(images, keys, matrices, reach, alpha, weights_y, weights_x, mirror_y, mirror_x, out):
    height, width = out.shape[1], out.shape[2] // 3
    words, field = np.empty(height * width, np.uint32), np.empty((height, width))
    half_smooth, line = np.empty((height, width)), np.empty(len(mirror_x))
    displacement = np.zeros((2, height, width))  # dx, dy
    image, warped = np.empty(3 * height * width, np.float32), np.empty(3 * height * width, np.float32)
    for n in range(len(images)):
        _unit(images[n], image)
        if len(matrices):
            _affine(image, height, width, matrices[n], warped)
            image, warped = warped, image
        if alpha != 0.0:
            for axis in range(2):
                fill_words(keys[n], axis, words)
                _uniform(words, reach, field.ravel())
                _smooth_rows(field, weights_y, mirror_y, half_smooth)
                _smooth_columns(half_smooth, weights_x, mirror_x, line, displacement[axis])
        _look_up(image, displacement[1], displacement[0], alpha, out[n])


def elastic_transform(images: np.ndarray, streams: Streams, c: Elastic) -> np.ndarray:
    count, height, width = images.shape[:3]
    alpha, (sigma_y, sigma_x) = elastic_scale(height, width, c)
    offsets = elastic_offsets(streams, c)
    matrices = np.empty((0, 2, 3), np.float32) if offsets is None else elastic_matrix(height, width, offsets)
    weights_y = half_gaussian(sigma_y) if alpha else np.ones(1)
    weights_x = half_gaussian(sigma_x) if alpha else np.ones(1)
    mirrors = mirrored(height, len(weights_y) - 1), mirrored(width, len(weights_x) - 1)
    out, reach = np.empty_like(images), elastic_reach(height, c)
    _elastic_transform(
        images.reshape(count, -1), streams.keys, matrices, reach, float(alpha), weights_y, weights_x, *mirrors,
        out.reshape(count, height, -1),
    )  # fmt: skip
    return out
