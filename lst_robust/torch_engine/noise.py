"""corruptions/noise.py on a device. Each function gives the bytes of the plain definition."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from lst_robust.corruptions.noise import WORD, Noise, impulse_threshold, poisson_levels, poisson_thresholds
from lst_robust.torch_engine.arithmetic import to_uint8, to_unit
from lst_robust.torch_engine.streams import TensorStreams

ROW = 2 * WORD
"""Distance of the rows of `shot_table` in its keys, so that the rows of the 256 pixel values do not overlap."""


def gaussian_noise(images: Tensor, streams: TensorStreams, c: Noise) -> Tensor:
    return to_uint8(_scaled_normals(images, streams, c.amount).add_(to_unit(images)))


def speckle_noise(images: Tensor, streams: TensorStreams, c: Noise) -> Tensor:
    x = to_unit(images)
    return to_uint8(_scaled_normals(images, streams, c.amount).mul_(x).add_(x))


def _scaled_normals(images: Tensor, streams: TensorStreams, amount: float) -> Tensor:
    """A standard normal for each value of the images, times amount: float64 (N, H, W, 3)."""
    factor = torch.full((1,), amount, dtype=torch.float64, device=images.device)  # one axis: its type decides
    return streams.normal(0, tuple(images.shape[1:])) * factor


@lru_cache(maxsize=32)
def shot_table(photons: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """The Poisson quantiles: sorted keys, int64 (256 * levels,), and the output level at each place, uint8, as many.

    The key of pixel value v and word w is v * ROW + w - 2^31. A pixel's place is the number of keys that are not above
    its own. Photon counts with the same output level share a key.
    """
    by_count = poisson_thresholds(photons)
    of_count = poisson_levels(photons, by_count.shape[1])
    levels, first = np.unique(of_count, return_index=True)
    last = np.append(first[1:], len(of_count)) - 1
    thresholds = by_count[:, last].astype(np.int64) - WORD // 2
    keys = thresholds + np.arange(256)[:, None] * ROW
    return torch.from_numpy(keys.ravel()).to(device), torch.from_numpy(np.tile(levels, 256)).to(device)


def shot_noise(images: Tensor, streams: TensorStreams, c: Noise) -> Tensor:
    keys, levels = shot_table(c.amount, images.device)
    words = streams.centred_words(0, tuple(images.shape[1:]))
    wanted = torch.add(words, images.long(), alpha=ROW)  # integers: exact
    places = torch.searchsorted(keys, wanted, right=True, out_int32=True)
    return levels.index_select(0, places.view(-1)).view(images.shape)


def impulse_noise(images: Tensor, streams: TensorStreams, c: Noise) -> Tensor:
    words = streams.centred_words(0, tuple(images.shape[1:]))
    extremes = words.to(torch.uint8).bitwise_and_(1).mul_(255)  # odd words: salt
    return torch.where(words < int(impulse_threshold(c.amount)) - WORD // 2, extremes, images)
