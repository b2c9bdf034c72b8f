"""Noise: gaussian_noise, shot_noise, impulse_noise, speckle_noise. Constants: presets.Noise."""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import lru_cache

import numpy as np

from lst_robust.corruptions.base import Corruption, Draws, compiled, to_uint8, to_unit
from lst_robust.corruptions.presets import Noise
from lst_robust.corruptions.streams import Streams

WORD = 2**32


def _draw_normal(streams: Streams, height: int, width: int, c: Noise) -> Draws:
    """normal: standard normals (N, H, W, 3)."""
    return {"normal": streams.normal(0, (height, width, 3))}


def _gaussian_noise(images: np.ndarray, draws: Draws, c: Noise) -> np.ndarray:
    return to_uint8(to_unit(images) + draws["normal"].astype(np.float64) * c.amount)


def _speckle_noise(images: np.ndarray, draws: Draws, c: Noise) -> np.ndarray:
    x = to_unit(images)
    return to_uint8(x + x * (draws["normal"].astype(np.float64) * c.amount))


def _draw_words(streams: Streams, height: int, width: int, c: Noise) -> Draws:
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


def _shot_noise(images: np.ndarray, draws: Draws, c: Noise) -> np.ndarray:
    """The count of a pixel is the number of thresholds that its word has reached."""
    thresholds = poisson_thresholds(c.amount)
    counts = thresholds.shape[1]
    offset = np.uint64(2 * WORD)  # keeps the rows of the 256 pixel values apart in one sorted table
    table = (thresholds + np.arange(256, dtype=np.uint64)[:, None] * offset).ravel()
    found = np.searchsorted(table, images * offset + draws["word"], side="right")
    return poisson_levels(c.amount, counts)[found - images.astype(np.int64) * counts]


def _draw_impulse(streams: Streams, height: int, width: int, c: Noise) -> Draws:
    """salt, pepper: bool (N, H, W, 3). A value is hit with probability `amount` (to 32 bits); the parity of
    its word then says which."""
    words = streams.words(0, height * width * 3).reshape(-1, height, width, 3)
    hit, odd = words < impulse_threshold(c.amount), (words & np.uint32(1)).astype(bool)
    return {"salt": hit & odd, "pepper": hit & ~odd}


def impulse_threshold(amount: float) -> np.uint32:
    """Words below it are hits: even, so that salt and pepper are equally likely."""
    return np.uint32(2 * round(amount * WORD / 2))


def _impulse_noise(images: np.ndarray, draws: Draws, c: Noise) -> np.ndarray:
    result = images.copy()
    result[draws["salt"]] = 255
    result[draws["pepper"]] = 0
    return result


CORRUPTIONS = (
    Corruption("gaussian_noise", _draw_normal, _gaussian_noise, compiled("noise", "gaussian_noise")),
    Corruption("shot_noise", _draw_words, _shot_noise, compiled("noise", "shot_noise")),
    Corruption("impulse_noise", _draw_impulse, _impulse_noise, compiled("noise", "impulse_noise")),
    Corruption("speckle_noise", _draw_normal, _speckle_noise, compiled("noise", "speckle_noise")),
)
