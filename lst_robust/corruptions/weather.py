"""snow, frost, fog and spatter, as plain definitions (brightness shares its colour space with digital.py).

Algorithms: ImageNet-C's generation scripts (Hendrycks & Dietterich, ICLR 2019) and, for the style `imagecorruptions`,
that package. `draw` makes all the randomness of N images; `apply` is pure. images: uint8 (N, H, W, 3) in and out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lst_robust.corruptions.base import Corruption, Draws, compiled, to_uint8, to_unit
from lst_robust.corruptions.filters import axis_zoom, gaussian, motion_blur, motion_taps, round_16_bit, zoom
from lst_robust.corruptions.plasma import plasma
from lst_robust.corruptions.presets import Fog, Frost, Snow, Spatter
from lst_robust.corruptions.splashes import splashes
from lst_robust.corruptions.streams import Streams
from lst_robust.corruptions.textures import frost_textures_for

Images = NDArray[np.uint8]

FIELD, ANGLE = 0, 1  # streams of snow, fog and spatter
TEXTURE, CROP = 0, 1  # streams of frost

WATER = np.array([175, 238, 238], dtype=np.float32) / np.float32(255)  # pale turquoise
MUD = np.array([63, 42, 20]) / 255.0
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


def draw_snow(streams: Streams, height: int, width: int, c: Snow) -> Draws:
    """`field`: standard normals (N, h, w) for the middle of the image that the zoom keeps; `angle`: degrees (N,)."""
    rows, columns = axis_zoom(height, c.zoom), axis_zoom(width, c.zoom)
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    return {"field": streams.normal(FIELD, shape), "angle": streams.uniform(ANGLE, (), -135, -45)}


def apply_snow(images: Images, draws: Draws, c: Snow) -> Images:
    """Falling flakes (a zoomed, thresholded, motion-blurred normal field and its half turn) over a lightened image."""
    layer = snow_layer(draws, images.shape[1], images.shape[2], c)[..., None]
    x = images.astype(np.float32) / np.float32(255)
    mix, rest = np.float32(c.mix), np.float32(1 - c.mix)
    lightened = np.maximum(x, luma(x) * np.float32(1.5) + np.float32(0.5))
    return to_uint8((mix * x + rest * lightened) + layer + layer[:, ::-1, ::-1])


def snow_layer(draws: Draws, height: int, width: int, c: Snow) -> NDArray[np.float64]:
    """Flakes in [0, 1] on 256 levels: float64 (N, height, width)."""
    field = c.mean + c.std * draws["field"].astype(np.float64)
    rows, columns = axis_zoom(height, c.zoom).cropped(), axis_zoom(width, c.zoom).cropped()
    flakes = zoom(field, rows, columns)
    flakes[flakes < c.threshold] = 0
    flakes = np.clip(flakes, 0, 1)
    taps = motion_taps(draws["angle"], c.radius, c.sigma)
    if c.layer == "float-uncropped":
        blurred = np.round(motion_blur(flakes, taps, stop_outside=True) * 255)
        return blurred[:, :height, :width].astype(np.uint8) / 255.0
    top, left = (flakes.shape[1] - height) // 2, (flakes.shape[2] - width) // 2
    levels = (flakes[:, top : top + height, left : left + width] * 255).astype(np.uint8)
    return np.minimum(round_16_bit(motion_blur(levels, taps, stop_outside=False)), 255) / 255.0


def luma(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey of RGB: float32 (N, H, W, 3) -> (N, H, W, 1)."""
    return x[..., 0:1] * LUMA[0] + x[..., 1:2] * LUMA[1] + x[..., 2:3] * LUMA[2]


def draw_frost(streams: Streams, height: int, width: int, c: Frost) -> Draws:
    """`texture`: 0..4 (N,); `top`, `left`: where in the texture the crop starts, pixels (N,)."""
    textures = frost_textures_for(c, height, width)
    texture = streams.integers(TEXTURE, (), 0, len(textures))
    room = np.array([(t.shape[0] - height, t.shape[1] - width) for t in textures])[texture]
    place = np.floor(streams.uniform(CROP, (2,)) * room).astype(np.int64)
    return {"texture": texture, "top": place[:, 0], "left": place[:, 1]}


def apply_frost(images: Images, draws: Draws, c: Frost) -> Images:
    """Weighted sum of the image and of a crop of a photograph of frost."""
    height, width = images.shape[1:3]
    textures = frost_textures_for(c, height, width)
    crops = np.stack([
        textures[k][top : top + height, left : left + width]
        for k, top, left in zip(draws["texture"], draws["top"], draws["left"], strict=True)
    ])  # fmt: skip
    return np.minimum(c.image_weight * images.astype(np.float64) + c.texture_weight * crops, 255).astype(np.uint8)


def fog_map_size(height: int, width: int, c: Fog) -> int:
    """Side of the square height map: the preset's, or the next power of two that covers the image, pixels."""
    return max(c.map_size or 1, 1 << (max(height, width) - 1).bit_length())


def draw_fog(streams: Streams, height: int, width: int, c: Fog) -> Draws:
    """`wibble`: uniform [0, 1) (N, map² - 1), in the order of plasma.plasma."""
    return {"wibble": streams.uniform(FIELD, fog_map_size(height, width, c) ** 2 - 1)}


def apply_fog(images: Images, draws: Draws, c: Fog) -> Images:
    """Adds a fractal height map and rescales to the image's own maximum."""
    height, width = images.shape[1:3]
    x = to_unit(images)
    brightest = x.max(axis=(1, 2, 3), keepdims=True)
    x += c.amount * plasma(draws["wibble"], c.decay)[:, :height, :width, None]
    return to_uint8(x * brightest / (brightest + c.amount))


def draw_spatter(streams: Streams, height: int, width: int, c: Spatter) -> Draws:
    """`field`: standard normals (N, H, W)."""
    return {"field": streams.normal(FIELD, (height, width))}


def apply_spatter(images: Images, draws: Draws, c: Spatter) -> Images:
    """Drops of water or mud where a smoothed normal field exceeds a threshold."""
    liquid = gaussian(c.mean + c.std * draws["field"].astype(np.float64), c.sigma)
    liquid[liquid < c.threshold] = 0
    x = images.astype(np.float32) / np.float32(255)
    if c.mud:
        cover = gaussian((liquid > c.threshold).astype(np.float32), c.strength)[..., None]
        cover[cover < np.float32(0.8)] = 0
        return to_uint8(x * (np.float32(1) - cover) + MUD.astype(c.mud_precision) * cover)
    drops = np.stack([splashes((layer * 255).astype(np.uint8)) for layer in liquid])
    return to_uint8(x + drops[..., None] * np.float32(c.strength) * WATER)


CORRUPTIONS = (
    Corruption("snow", draw_snow, apply_snow, compiled("weather", "snow")),
    Corruption("frost", draw_frost, apply_frost, compiled("weather", "frost")),
    Corruption("fog", draw_fog, apply_fog, compiled("weather", "fog")),
    Corruption("spatter", draw_spatter, apply_spatter, compiled("weather", "spatter")),
)
