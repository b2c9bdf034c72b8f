"""noise.py, compiled: the draws and their use in one pass over each image, bit for bit."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lst_robust.corruptions.kernels.compiling import jit
from lst_robust.corruptions.kernels.pixels import level, unit
from lst_robust.corruptions.kernels.streams import group_normals, group_words
from lst_robust.corruptions.noise import Noise, impulse_threshold, poisson_levels, poisson_thresholds
from lst_robust.corruptions.streams import GROUP_WORDS, Streams

BUCKET_BITS = 7
"""shot_noise: the leading bits of a word that choose where its search among the thresholds begins."""
BUCKETS, REST_BITS = 1 << BUCKET_BITS, np.uint32(32 - BUCKET_BITS)
SEVERAL = np.uint64(1 << 63)
ODD = np.uint32(1)


@jit
def _add(image, normals, amount, out):
    for i in range(len(image)):
        out[i] = level(unit(image[i]) + np.float64(normals[i]) * amount)


@jit
def _add_scaled(image, normals, amount, out):
    for i in range(len(image)):
        x = unit(image[i])
        out[i] = level(x + x * (np.float64(normals[i]) * amount))


@jit
def _gaussian_noise(images, keys, amount, out):
    words, normals = np.empty(GROUP_WORDS, np.uint32), np.empty(GROUP_WORDS, np.float32)
    for n in range(len(images)):
        for start in range(0, images.shape[1], GROUP_WORDS):
            group_words(keys[n], 0, start // GROUP_WORDS, words)
            group_normals(words, normals)
            stop = min(start + GROUP_WORDS, images.shape[1])
            _add(images[n, start:stop], normals, amount, out[n, start:stop])


@jit
def _speckle_noise(images, keys, amount, out):
    words, normals = np.empty(GROUP_WORDS, np.uint32), np.empty(GROUP_WORDS, np.float32)
    for n in range(len(images)):
        for start in range(0, images.shape[1], GROUP_WORDS):
            group_words(keys[n], 0, start // GROUP_WORDS, words)
            group_normals(words, normals)
            stop = min(start + GROUP_WORDS, images.shape[1])
            _add_scaled(images[n, start:stop], normals, amount, out[n, start:stop])


@jit
def _hit(image, words, threshold, out):
    for i in range(len(image)):
        word, value = words[i], np.int32(image[i])
        hit = -np.int32(word < threshold)  # all bits or none: no branch
        extreme = -np.int32(word & ODD)
        out[i] = np.uint8(value ^ ((value ^ extreme) & hit))


@jit
def _impulse_noise(images, keys, threshold, out):
    words = np.empty(GROUP_WORDS, np.uint32)
    for n in range(len(images)):
        for start in range(0, images.shape[1], GROUP_WORDS):
            group_words(keys[n], 0, start // GROUP_WORDS, words)
            stop = min(start + GROUP_WORDS, images.shape[1])
            _hit(images[n, start:stop], words, threshold, out[n, start:stop])


@lru_cache(maxsize=32)
def shot_table(photons: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The Poisson quantiles prepared for looking up: bucket entries uint64 (256, BUCKETS), and for the search where a
    bucket holds several thresholds, the thresholds uint64 (256, levels) and the output levels uint8 (levels,).

    An entry is threshold << 16 | level below it << 8 | level from it on, and the flag SEVERAL.
    """
    by_count = poisson_thresholds(photons)
    of_count = poisson_levels(photons, by_count.shape[1])
    levels, first = np.unique(of_count, return_index=True)  # counts beyond `photons` are all 255
    last = np.append(first[1:], len(of_count)) - 1
    thresholds = np.ascontiguousarray(by_count[:, last])
    starts = np.arange(BUCKETS, dtype=np.uint64) << np.uint64(REST_BITS)
    entries = np.empty((256, BUCKETS), np.uint64)
    for value, row in enumerate(thresholds):
        low = np.searchsorted(row, starts, side="right")
        high = np.searchsorted(row, starts + np.uint64((1 << int(REST_BITS)) - 1), side="right")
        entry = row[low] << np.uint64(16) | levels[low].astype(np.uint64) << np.uint64(8) | levels[high]
        entries[value] = np.where(high > low + 1, SEVERAL | low.astype(np.uint64), entry)
    return entries, thresholds, levels


@jit
def _look_up(image, words, entries, thresholds, levels, out):
    for i in range(len(image)):
        value, word = image[i], np.uint64(words[i])
        entry = entries[value, words[i] >> REST_BITS]
        if entry & SEVERAL:
            k = np.int64(entry ^ SEVERAL)
            while word >= thresholds[value, k]:
                k += 1
            out[i] = levels[k]
        else:
            shift = np.uint64(0) if word >= entry >> np.uint64(16) else np.uint64(8)
            out[i] = np.uint8(entry >> shift)


@jit
def _shot_noise(images, keys, entries, thresholds, levels, out):
    words = np.empty(GROUP_WORDS, np.uint32)
    for n in range(len(images)):
        for start in range(0, images.shape[1], GROUP_WORDS):
            group_words(keys[n], 0, start // GROUP_WORDS, words)
            stop = min(start + GROUP_WORDS, images.shape[1])
            _look_up(images[n, start:stop], words, entries, thresholds, levels, out[n, start:stop])


def gaussian_noise(images: np.ndarray, streams: Streams, c: Noise) -> np.ndarray:
    out = np.empty_like(images)
    _gaussian_noise(_flat(images), streams.keys, float(c.amount), _flat(out))
    return out


def speckle_noise(images: np.ndarray, streams: Streams, c: Noise) -> np.ndarray:
    out = np.empty_like(images)
    _speckle_noise(_flat(images), streams.keys, float(c.amount), _flat(out))
    return out


def impulse_noise(images: np.ndarray, streams: Streams, c: Noise) -> np.ndarray:
    out = np.empty_like(images)
    _impulse_noise(_flat(images), streams.keys, impulse_threshold(c.amount), _flat(out))
    return out


def shot_noise(images: np.ndarray, streams: Streams, c: Noise) -> np.ndarray:
    out = np.empty_like(images)
    _shot_noise(_flat(images), streams.keys, *shot_table(c.amount), _flat(out))
    return out


def _flat(images: np.ndarray) -> np.ndarray:
    """uint8 (N, H * W * 3), a view."""
    return images.reshape(len(images), -1)
