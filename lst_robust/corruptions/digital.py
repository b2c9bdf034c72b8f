"""Digital: pixelate and jpeg_compression (contrast is in color.py, elastic_transform in elastic.py).

Algorithms and constants: ImageNet-C's generation scripts (Hendrycks & Dietterich, ICLR 2019) and, for the style
`imagecorruptions`, that package. images: uint8
(N, H, W, 3) in and out, at any size.
"""

from __future__ import annotations

from io import BytesIO
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from lst_robust.corruptions.base import Corruption, Draws, batched, compiled


class Pixelate(NamedTuple):
    factor: float
    upsample: Literal["box", "nearest"] = "box"


class Jpeg(NamedTuple):
    quality: int


def apply_pixelate(images: np.ndarray, draws: Draws, c: Pixelate) -> np.ndarray:
    """Box averages, then enlarged. Width before height, whatever the shape: left to itself, Pillow 13 turns the order
    round for images more than twice as high as wide, and its rounding with it."""
    height, width = images.shape[1:3]
    small_height, small_width = int(height * c.factor), int(width * c.factor)
    upsample = Image.Resampling.BOX if c.upsample == "box" else Image.Resampling.NEAREST
    result = np.empty_like(images)
    for i, image in enumerate(images):
        narrow = Image.fromarray(image).resize((small_width, height), Image.Resampling.BOX)
        result[i] = narrow.resize((small_width, small_height), Image.Resampling.BOX).resize((width, height), upsample)
    return result


def apply_jpeg_compression(images: np.ndarray, draws: Draws, c: Jpeg) -> np.ndarray:
    """Pillow's defaults at the given quality (4:2:0 chroma), encoded and decoded one by one."""
    result = np.empty_like(images)
    for i, image in enumerate(images):
        file = BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=c.quality)
        result[i] = Image.open(file)
    return result


_PIXELATE_IMAGENET = (0.6, 0.5, 0.4, 0.3, 0.25)

CORRUPTIONS = (
    Corruption(
        name="pixelate",
        constants={
            "imagenet": tuple(Pixelate(c) for c in _PIXELATE_IMAGENET),
            "tiny-imagenet": tuple(Pixelate(c) for c in (0.9, 0.8, 0.7, 0.6, 0.5)),
            "cifar": tuple(Pixelate(c) for c in (0.95, 0.9, 0.85, 0.75, 0.65)),
        },
        imagecorruptions=tuple(Pixelate(c, "nearest") for c in _PIXELATE_IMAGENET),
        apply=apply_pixelate,
        kernel=compiled("digital", "pixelate"),
        torch=batched("digital", "pixelate"),
    ),
    Corruption(
        name="jpeg_compression",
        constants={
            "imagenet": tuple(Jpeg(q) for q in (25, 18, 15, 10, 7)),
            "tiny-imagenet": tuple(Jpeg(q) for q in (65, 58, 50, 40, 25)),
            "cifar": tuple(Jpeg(q) for q in (80, 65, 58, 50, 40)),
        },
        apply=apply_jpeg_compression,
        kernel=compiled("jpeg", "jpeg_compression"),
        torch=batched("jpeg", "jpeg_compression"),
    ),
)
