"""corruptions/weather.py on a device, but for spatter. Each function gives the bytes of the plain definition."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lst_robust.corruptions.filters import axis_zoom as plain_axis_zoom
from lst_robust.corruptions.textures import fitted_frost_textures, frost_textures_for, scaled_frost_textures
from lst_robust.corruptions.weather import ANGLE, CROP, FIELD, LUMA, TEXTURE, Fog, Frost, Snow, fog_map_size
from lst_robust.torch_engine.arithmetic import divide, to_uint8, to_unit
from lst_robust.torch_engine.filters import (
    AxisZoom,
    axis_zoom,
    motion_blur,
    motion_taps,
    round_16_bit,
    short,
    zoom,
)
from lst_robust.torch_engine.plasma import plasma, scaled
from lst_robust.torch_engine.streams import TensorStreams


def snow(images: Tensor, streams: TensorStreams, c: Snow) -> Tensor:
    """See weather.apply_snow."""
    layer = snow_layer(streams, images.shape[1], images.shape[2], c)[..., None]
    x = divide(images.float(), 255.0)
    mix, rest = float(np.float32(c.mix)), float(np.float32(1 - c.mix))
    lightened = torch.maximum(x, luma(x).mul_(1.5).add_(0.5)).mul_(rest)
    lightened.add_(x.mul_(mix))  # float32 up to here
    return to_uint8((lightened + layer).add_(layer.flip(1, 2)))


def snow_layer(streams: TensorStreams, height: int, width: int, c: Snow) -> Tensor:
    """See weather.snow_layer: float64 (N, height, width)."""
    uncropped = c.layer == "float-uncropped"
    (high, rows), (wide, columns) = (
        snow_axis(length, float(c.zoom), streams.keys.device, uncropped=uncropped) for length in (height, width)
    )
    field = streams.normal(FIELD, (high, wide)).double().mul_(float(c.std)).add_(float(c.mean))
    flakes = zoom(field, rows, columns)
    flakes = flakes.masked_fill_(flakes < c.threshold, 0).clamp_(0, 1)
    taps = motion_taps(streams.uniform(ANGLE, (), -135, -45), c.radius, c.sigma)
    if uncropped:
        blurred = motion_blur(flakes, taps, stop_outside=True)[:, :height, :width].mul(255).round_()
    else:
        levels = flakes.mul_(255).to(torch.uint8)
        blurred = round_16_bit(motion_blur(levels, taps, stop_outside=False)).clamp_(max=255)
    return divide(blurred, 255.0)


@lru_cache(maxsize=64)
def snow_axis(length: int, factor: float, device: torch.device, *, uncropped: bool) -> tuple[int, AxisZoom]:
    """How many pixels of an axis the zoom keeps, and their zoom: to the middle `length` pixels, unless `uncropped`."""
    whole = plain_axis_zoom(length, factor)
    cut = (len(whole.first) - length) // 2
    kept = None if uncropped else (cut, cut + length)
    return whole.stop - whole.start, axis_zoom(length, factor, device, cropped=True, kept=kept)


def luma(x: Tensor) -> Tensor:
    """Grey of RGB: float32 (N, H, W, 3) -> (N, H, W, 1)."""
    red, green, blue = (float(weight) for weight in LUMA)
    return (x[..., 0:1] * red + x[..., 1:2] * green).add_(x[..., 2:3] * blue)


def frost(images: Tensor, streams: TensorStreams, c: Frost) -> Tensor:
    """See weather.apply_frost."""
    height, width = images.shape[1:3]
    if not c.fit:
        frost_textures_for(c, height, width)  # raises where the textures are too small
    tables = frost_tables(c.texture_scale, (height, width) if c.fit else None, images.device)
    crops = frost_crops(streams, height, width, tables).double().mul_(float(c.texture_weight))
    return images.double().mul_(float(c.image_weight)).add_(crops).clamp_(max=255).to(torch.uint8)


class FrostTables(NamedTuple):
    """The five textures, one after the other.

    pixels: int32 (pixels of all textures,), each the four bytes red, green, blue and 0. starts: int64 (5,), the place
    of each texture's first pixel. heights, widths: int64 (5,).
    """

    pixels: Tensor
    starts: Tensor
    heights: Tensor
    widths: Tensor


@lru_cache(maxsize=4)
def frost_tables(scale: float, fitted: tuple[int, int] | None, device: torch.device) -> FrostTables:
    """The textures of a preset on a device. fitted: the height and width that the style imagecorruptions covers."""
    textures = fitted_frost_textures(scale, *fitted) if fitted else scaled_frost_textures(scale)
    heights, widths = (np.array([texture.shape[axis] for texture in textures]) for axis in (0, 1))
    starts = np.cumsum(heights * widths) - heights * widths
    colours = np.concatenate([texture.reshape(-1, 3) for texture in textures])
    pixels = torch.from_numpy(np.pad(colours, ((0, 0), (0, 1)))).view(torch.int32).flatten()
    return FrostTables(*(table.to(device) for table in (pixels, *map(torch.from_numpy, (starts, heights, widths)))))


def frost_crops(streams: TensorStreams, height: int, width: int, tables: FrostTables) -> Tensor:
    """What each image gets of its texture: uint8 (N, height, width, 3)."""
    texture = streams.integers(TEXTURE, (), 0, len(tables.starts))
    start, high, wide = (table.index_select(0, texture) for table in (tables.starts, tables.heights, tables.widths))
    place = streams.uniform(CROP, (2,))
    top = (place[:, 0] * (high - height)).floor_().long()
    left = (place[:, 1] * (wide - width)).floor_().long()
    rows = top[:, None] + torch.arange(height, device=top.device)
    places = short(start[:, None] + rows * wide[:, None] + left[:, None], tables.pixels)[..., None] + short(
        torch.arange(width, device=top.device), tables.pixels
    )
    crops = tables.pixels.index_select(0, places.flatten())
    return crops.view(torch.uint8).view(len(streams), height, width, 4)[..., :3]


def fog(images: Tensor, streams: TensorStreams, c: Fog) -> Tensor:
    """See weather.apply_fog."""
    height, width = images.shape[1:3]
    heights = plasma(streams.uniform(FIELD, fog_map_size(height, width, c) ** 2 - 1), float(c.decay))
    haze = scaled(heights, height, width).mul_(float(c.amount))
    brightest = to_unit(images.amax((1, 2, 3), keepdim=True))
    x = to_unit(images).add_(haze[..., None])
    return to_uint8(x.mul_(brightest).div_(brightest + float(c.amount)))
