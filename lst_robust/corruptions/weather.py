"""Weather: snow, frost, fog and spatter (brightness, which works on colours, is in color.py).

Algorithms and constants: ImageNet-C's generation scripts (Hendrycks & Dietterich, ICLR 2019) and, for the style
`imagecorruptions`, that package. `draw` makes all the randomness of N images; `apply` is pure. images: uint8
(N, H, W, 3) in and out.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lst_robust.corruptions.base import Corruption, Draws, batched, compiled, to_uint8, to_unit
from lst_robust.corruptions.filters import axis_zoom, gaussian, motion_blur, motion_taps, round_16_bit, zoom
from lst_robust.corruptions.plasma import plasma
from lst_robust.corruptions.splashes import splashes
from lst_robust.corruptions.streams import Streams
from lst_robust.corruptions.textures import frost_textures_for

Images = NDArray[np.uint8]

FIELD, ANGLE = 0, 1  # streams of snow, fog and spatter
TEXTURE, CROP = 0, 1  # streams of frost

WATER = np.array([175, 238, 238], dtype=np.float32) / np.float32(255)  # pale turquoise
MUD = np.array([63, 42, 20]) / 255.0
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


class Snow(NamedTuple):
    """`layer`: "uint8-cropped" truncates the snow to uint8, crops and then blurs it; "float-uncropped" blurs
    the float layer before cropping and rounds afterwards."""

    mean: float
    std: float
    zoom: float
    threshold: float
    radius: int
    sigma: float
    mix: float
    layer: Literal["uint8-cropped", "float-uncropped"] = "uint8-cropped"


class Frost(NamedTuple):
    """`texture_scale` resizes the texture before the crop; `fit` first enlarges textures smaller than the
    image."""

    image_weight: float
    texture_weight: float
    texture_scale: float = 1.0
    fit: bool = False


class Fog(NamedTuple):
    amount: float
    decay: float
    map_size: int | None = None  # None: the next power of two of the longer side


class Spatter(NamedTuple):
    """`mud_precision`: in what the colour of mud is added to the (float32) image; water is always float32."""

    mean: float
    std: float
    sigma: float
    threshold: float
    strength: float
    mud: bool
    mud_precision: Literal["float32", "float64"] = "float32"


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


def _snow_small(*mixes: float) -> tuple[Snow, ...]:
    rows = (
        (0.1, 0.2, 1, 0.6, 8, 3),
        (0.1, 0.2, 1, 0.5, 10, 4),
        (0.15, 0.3, 1.75, 0.55, 10, 4),
        (0.25, 0.3, 2.25, 0.6, 12, 6),
        (0.3, 0.3, 1.25, 0.65, 14, 12),
    )
    return tuple(Snow(*row, mix) for row, mix in zip(rows, mixes, strict=True))


_SNOW_IMAGENET = (
    Snow(0.1, 0.3, 3, 0.5, 10, 4, 0.8),
    Snow(0.2, 0.3, 2, 0.5, 12, 4, 0.7),
    Snow(0.55, 0.3, 4, 0.9, 12, 8, 0.7),
    Snow(0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
    Snow(0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
)
_FROST_IMAGENET = ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))
_FOG_IMAGENET = ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))
_SPATTER_IMAGENET = (
    Spatter(0.65, 0.3, 4, 0.69, 0.6, False),
    Spatter(0.65, 0.3, 3, 0.68, 0.6, False),
    Spatter(0.65, 0.3, 2, 0.68, 0.5, False),
    Spatter(0.65, 0.3, 1, 0.65, 1.5, True),
    Spatter(0.67, 0.4, 1, 0.65, 1.5, True),
)

CORRUPTIONS = (
    Corruption(
        name="snow",
        constants={
            "imagenet": _SNOW_IMAGENET,
            "tiny-imagenet": _snow_small(0.8, 0.8, 0.7, 0.65, 0.6),
            "cifar": _snow_small(0.95, 0.9, 0.9, 0.85, 0.8),
        },
        imagecorruptions=tuple(c._replace(layer="float-uncropped") for c in _SNOW_IMAGENET),
        draw=draw_snow,
        apply=apply_snow,
        kernel=compiled("weather", "snow"),
        torch=batched("weather", "snow"),
    ),
    Corruption(
        name="frost",
        constants={
            "imagenet": tuple(Frost(*c) for c in _FROST_IMAGENET),
            "tiny-imagenet": tuple(
                Frost(x, t, 0.3) for x, t in ((1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55))
            ),
            "cifar": tuple(Frost(x, t, 0.2) for x, t in ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))),
        },
        imagecorruptions=tuple(Frost(x, t, 1.1, True) for x, t in _FROST_IMAGENET),
        draw=draw_frost,
        apply=apply_frost,
        kernel=compiled("weather", "frost"),
        torch=batched("weather", "frost"),
    ),
    Corruption(
        name="fog",
        constants={
            "imagenet": tuple(Fog(a, d, 256) for a, d in _FOG_IMAGENET),
            "tiny-imagenet": tuple(Fog(a, d, 64) for a, d in ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75))),
            "cifar": tuple(Fog(a, d, 32) for a, d in ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))),
        },
        imagecorruptions=tuple(Fog(*c) for c in _FOG_IMAGENET),
        draw=draw_fog,
        apply=apply_fog,
        kernel=compiled("weather", "fog"),
        torch=batched("weather", "fog"),
    ),
    Corruption(
        name="spatter",
        constants={
            "imagenet": _SPATTER_IMAGENET,
            "tiny-imagenet": (
                Spatter(0.62, 0.1, 0.7, 0.7, 0.6, False),
                Spatter(0.65, 0.1, 0.8, 0.7, 0.6, False),
                Spatter(0.65, 0.3, 1, 0.69, 0.6, False),
                Spatter(0.65, 0.1, 0.7, 0.68, 0.6, True),
                Spatter(0.65, 0.1, 0.5, 0.67, 0.6, True),
            ),
            "cifar": (
                Spatter(0.62, 0.1, 0.7, 0.7, 0.5, False),
                Spatter(0.65, 0.1, 0.8, 0.7, 0.5, False),
                Spatter(0.65, 0.3, 1, 0.69, 0.5, False),
                Spatter(0.65, 0.1, 0.7, 0.69, 0.6, True),
                Spatter(0.65, 0.1, 0.5, 0.68, 0.6, True),
            ),
        },
        imagecorruptions=tuple(c._replace(mud_precision="float64") for c in _SPATTER_IMAGENET),
        draw=draw_spatter,
        apply=apply_spatter,
        kernel=compiled("spatter", "spatter"),
        torch=batched("spatter", "spatter"),
    ),
)
