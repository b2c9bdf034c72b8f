"""The spatter of corruptions/weather.py on a device: the bytes of the plain definition."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lst_robust.corruptions.weather import FIELD, MUD, WATER, Spatter
from lst_robust.torch_engine.arithmetic import divide, to_uint8
from lst_robust.torch_engine.filters import gaussian
from lst_robust.torch_engine.splashes import splashes
from lst_robust.torch_engine.streams import TensorStreams

SEEN = float(np.float32(0.8))
"""Mud that covers less of a pixel does not show."""


class Colours(NamedTuple):
    """Of what is spattered: red, green and blue in [0, 1], (3,) each."""

    water: Tensor
    mud: Tensor


@lru_cache(maxsize=16)
def colours(device: torch.device, precision: str) -> Colours:
    """The colours in `precision` on a device. They are kept, because the host waits until such a copy is there."""
    return Colours(*(torch.from_numpy(colour.astype(precision)).to(device) for colour in (WATER, MUD)))


def spatter(images: Tensor, streams: TensorStreams, c: Spatter) -> Tensor:
    """See weather.apply_spatter."""
    normals = streams.normal(FIELD, tuple(images.shape[1:3]))
    liquid = gaussian(normals.double().mul_(float(c.std)).add_(float(c.mean)), c.sigma)
    x = divide(images.float(), 255.0)
    return with_mud(x, liquid, c) if c.mud else with_water(x, liquid, c)


def with_mud(x: Tensor, liquid: Tensor, c: Spatter) -> Tensor:
    """x: float32 (N, H, W, 3), overwritten; liquid: float64 (N, H, W) -> uint8 (N, H, W, 3)."""
    cover = gaussian((liquid > c.threshold).float(), c.strength)[..., None]
    cover = cover.masked_fill_(cover < SEEN, 0)
    x = x.mul_(1.0 - cover)
    return to_uint8(x + cover * colours(x.device, c.mud_precision).mud)


def with_water(x: Tensor, liquid: Tensor, c: Spatter) -> Tensor:
    """x: float32 (N, H, W, 3), overwritten; liquid: float64 (N, H, W) -> uint8 (N, H, W, 3)."""
    liquid = liquid.masked_fill_(liquid < c.threshold, 0).mul_(255)
    levels = liquid.to(torch.int32).to(torch.uint8)  # a level above 255 starts again at 0, as it does in NumPy
    drops = splashes(levels)[..., None] * float(np.float32(c.strength))
    return to_uint8(x.add_(drops * colours(x.device, "float32").water))
