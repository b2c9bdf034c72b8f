"""Noise: gaussian_noise, shot_noise, impulse_noise, speckle_noise.

Algorithms and constants: ImageNet-C's generation scripts (Hendrycks & Dietterich, ICLR 2019). `draw` makes all the
randomness of N images; `apply` is pure. images: uint8 (N, H, W, 3) in and out, at any size.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from lst_robust.corruptions.base import Corruption, Draws, batched, compiled, to_uint8, to_unit
from lst_robust.corruptions.streams import Streams

WORD = 2**32


class Noise(NamedTuple):
    """gaussian_noise, speckle_noise: standard deviation; shot_noise: photons at x = 1; impulse_noise: share
    of values."""

    amount: float


def amounts(*five: float) -> tuple[Noise, ...]:
    """The records of the five severities."""
    return tuple(Noise(amount) for amount in five)


def draw_gaussian_noise(streams: Streams, height: int, width: int, c: Noise) -> Draws:
    """normal: standard normals (N, H, W, 3)."""
    return {"normal": streams.normal(0, (height, width, 3))}


def apply_gaussian_noise(images: np.ndarray, draws: Draws, c: Noise) -> np.ndarray:
    return to_uint8(to_unit(images) + draws["normal"].astype(np.float64) * c.amount)


def apply_speckle_noise(images: np.ndarray, draws: Draws, c: Noise) -> np.ndarray:
    x = to_unit(images)
    return to_uint8(x + x * (draws["normal"].astype(np.float64) * c.amount))


def draw_shot_noise(streams: Streams, height: int, width: int, c: Noise) -> Draws:
    """word: uint32 (N, H, W, 3), the uniform number w / 2^32 at which the pixel's Poisson quantile is
    taken."""
    return {"word": streams.words(0, height * width * 3).reshape(-1, height, width, 3)}


@lru_cache(maxsize=32)
def poisson_thresholds(photons: float) -> np.ndarray:
    """How many of the 2^32 words give at most k photons, for each of the 256 pixel values: uint64 (256,
    counts).

    The mean of pixel value v is v / 255 * photons. exp comes from `decimal`, which rounds alike everywhere;
    the rest is one float64 recurrence. Counts end where no word is left.
    """
    means = np.arange(256) / 255.0 * photons
    with localcontext() as context:
        context.prec = 30
        probability = np.array([float((-Decimal(float(mean))).exp()) for mean in means])
    total, columns, count = probability.copy(), [], 0
    while True:
        columns.append(np.floor(total * WORD + 0.5).astype(np.uint64))
        if columns[-1].min() == WORD:
            return np.stack(columns, axis=1)
        count += 1
        probability = probability * means / count
        total = total + probability


def poisson_levels(photons: float, counts: int) -> np.ndarray:
    """The output level of each photon count: uint8 (counts,)."""
    return to_uint8(np.arange(counts) / float(photons))


def apply_shot_noise(images: np.ndarray, draws: Draws, c: Noise) -> np.ndarray:
    """The count of a pixel is the number of thresholds that its word has reached."""
    thresholds = poisson_thresholds(c.amount)
    counts = thresholds.shape[1]
    offset = np.uint64(2 * WORD)  # keeps the rows of the 256 pixel values apart in one sorted table
    table = (thresholds + np.arange(256, dtype=np.uint64)[:, None] * offset).ravel()
    found = np.searchsorted(table, images * offset + draws["word"], side="right")
    return poisson_levels(c.amount, counts)[found - images.astype(np.int64) * counts]


def draw_impulse_noise(streams: Streams, height: int, width: int, c: Noise) -> Draws:
    """salt, pepper: bool (N, H, W, 3). A value is hit with probability `amount` (to 32 bits); the parity of
    its word then says which."""
    words = streams.words(0, height * width * 3).reshape(-1, height, width, 3)
    hit, odd = words < impulse_threshold(c.amount), (words & np.uint32(1)).astype(bool)
    return {"salt": hit & odd, "pepper": hit & ~odd}


def impulse_threshold(amount: float) -> np.uint32:
    """Words below it are hits: even, so that salt and pepper are equally likely."""
    return np.uint32(2 * round(amount * WORD / 2))


def apply_impulse_noise(images: np.ndarray, draws: Draws, c: Noise) -> np.ndarray:
    result = images.copy()
    result[draws["salt"]] = 255
    result[draws["pepper"]] = 0
    return result


CORRUPTIONS = (
    Corruption(
        name="gaussian_noise",
        constants={
            "imagenet": amounts(0.08, 0.12, 0.18, 0.26, 0.38),
            "tiny-imagenet": amounts(0.04, 0.08, 0.12, 0.15, 0.18),
            "cifar": amounts(0.04, 0.06, 0.08, 0.09, 0.10),
        },
        draw=draw_gaussian_noise,
        apply=apply_gaussian_noise,
        kernel=compiled("noise", "gaussian_noise"),
        torch=batched("noise", "gaussian_noise"),
    ),
    Corruption(
        name="shot_noise",
        constants={
            "imagenet": amounts(60, 25, 12, 5, 3),
            "tiny-imagenet": amounts(250, 100, 50, 30, 15),
            "cifar": amounts(500, 250, 100, 75, 50),
        },
        draw=draw_shot_noise,
        apply=apply_shot_noise,
        kernel=compiled("noise", "shot_noise"),
        torch=batched("noise", "shot_noise"),
    ),
    Corruption(
        name="impulse_noise",
        constants={
            "imagenet": amounts(0.03, 0.06, 0.09, 0.17, 0.27),
            "tiny-imagenet": amounts(0.01, 0.02, 0.05, 0.08, 0.14),
            "cifar": amounts(0.01, 0.02, 0.03, 0.05, 0.07),
        },
        draw=draw_impulse_noise,
        apply=apply_impulse_noise,
        kernel=compiled("noise", "impulse_noise"),
        torch=batched("noise", "impulse_noise"),
    ),
    Corruption(
        name="speckle_noise",
        constants={
            "imagenet": amounts(0.15, 0.2, 0.35, 0.45, 0.6),
            "tiny-imagenet": amounts(0.15, 0.2, 0.25, 0.3, 0.35),
            "cifar": amounts(0.06, 0.1, 0.12, 0.16, 0.2),
        },
        draw=draw_gaussian_noise,
        apply=apply_speckle_noise,
        kernel=compiled("noise", "speckle_noise"),
        torch=batched("noise", "speckle_noise"),
    ),
)
