"""weather.py's spatter, compiled: drops of water and mud from one smoothed field."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from lst_robust.corruptions.filters import gaussian_weights
from lst_robust.corruptions.kernels.compiling import jit
from lst_robust.corruptions.kernels.filters import smooth_row
from lst_robust.corruptions.kernels.streams import fill_normals
from lst_robust.corruptions.splashes import splashes
from lst_robust.corruptions.streams import Streams
from lst_robust.corruptions.weather import FIELD, MUD, WATER, Spatter

F = np.float32
LEVELS, SEEN, ONE = F(255), F(0.8), F(1)
WATER_R, WATER_G, WATER_B = WATER


def spatter(images: np.ndarray, streams: Streams, c: Spatter) -> np.ndarray:
    """See weather.apply_spatter; the drops of water are OpenCV's, image by image."""
    size, weights = images.shape[1:3], gaussian_weights(c.sigma)
    field = float(c.mean), float(c.std), float(c.threshold)
    if c.mud:
        mud = MUD.astype(c.mud_precision)
        return _mud(images, streams.keys, weights, field, gaussian_weights(c.strength), (mud[0], mud[1], mud[2]))
    liquid = _liquid(streams.keys, size, weights, field)
    drops = np.stack([splashes(layer) for layer in liquid])
    return _water(images, drops, np.float32(c.strength))


@jit
def _smooth_field(key, size, weights, field, scratch, out):
    """The thresholded liquid of one image: float64 (height * width,)."""
    height, width = size
    mean, std, threshold = field
    normals, x, padded = scratch
    fill_normals(key, FIELD, normals)
    for i in range(len(x)):
        x[i] = mean + std * np.float64(normals[i])
    for y in range(height):
        smooth_row(x, y, height, width, 1, weights, False, padded, out, y * width)
    for i in range(len(out)):
        out[i] = 0.0 if out[i] < threshold else out[i]


@jit
def _scratch(size, weights):
    pixels = size[0] * size[1]
    return np.empty(pixels, np.float32), np.empty(pixels), np.empty(size[1] + 2 * (len(weights) - 1))


@jit
def _liquid(keys, size, weights, field):
    """The liquid on 256 levels: uint8 (N, H, W)."""
    result = np.empty((len(keys), *size), np.uint8)
    scratch, liquid = _scratch(size, weights), np.empty(size[0] * size[1])
    for n in range(len(keys)):
        _smooth_field(keys[n], size, weights, field, scratch, liquid)
        target = result[n].reshape(-1)
        for i in range(len(liquid)):
            target[i] = np.uint8(np.int32(liquid[i] * 255))
    return result


@jit
def _water(images, drops, strength):
    result = np.empty_like(images)
    for n in range(len(images)):
        for y in range(images.shape[1]):
            _water_row(images[n, y].reshape(-1), drops[n, y], strength, result[n, y].reshape(-1))
    return result


@jit
def _water_row(source, drops, strength, out):
    for i in range(len(drops)):
        drop = drops[i] * strength
        out[3 * i] = level_of(F(source[3 * i]) / LEVELS + drop * WATER_R)
        out[3 * i + 1] = level_of(F(source[3 * i + 1]) / LEVELS + drop * WATER_G)
        out[3 * i + 2] = level_of(F(source[3 * i + 2]) / LEVELS + drop * WATER_B)


@jit
def level_of(x):
    """base.to_uint8 of one value that is not negative, float32 or float64."""
    return np.uint8(min(np.int32(x * LEVELS), np.int32(255)))


@jit
def _mud(images, keys, weights, field, cover_weights, mud):
    height, width = size = images.shape[1:3]
    result = np.empty_like(images)
    scratch, liquid = _scratch(size, weights), np.empty(height * width)
    padded, cover = np.empty(width + 2 * (len(cover_weights) - 1)), np.empty(width)
    for n in range(len(images)):
        _smooth_field(keys[n], size, weights, field, scratch, liquid)
        for i in range(len(liquid)):
            liquid[i] = 1.0 if liquid[i] > field[2] else 0.0
        for y in range(height):
            smooth_row(liquid, y, height, width, 1, cover_weights, True, padded, cover, 0)
            _mud_row(images[n, y].reshape(-1), cover, mud, result[n, y].reshape(-1))
    return result


@jit
def _mud_row(source, cover, mud, out):
    for i in range(len(cover)):
        c = F(cover[i])
        c = F(0) if c < SEEN else c
        out[3 * i] = level_of(F(source[3 * i]) / LEVELS * (ONE - c) + mud[0] * c)
        out[3 * i + 1] = level_of(F(source[3 * i + 1]) / LEVELS * (ONE - c) + mud[1] * c)
        out[3 * i + 2] = level_of(F(source[3 * i + 2]) / LEVELS * (ONE - c) + mud[2] * c)
