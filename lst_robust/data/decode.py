"""One encoded image to one uint8 square: any of PIL's modes, resized and cropped as torchvision's transforms do.

EXIF orientation is ignored, as torchvision's loader ignores it, so that published protocols are followed exactly.
"""

from __future__ import annotations

import os
import stat
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from lst_robust.geometry import Geometry

MAX_PIXELS = 89_478_485  # where PIL begins to warn of decompression bombs: 256 MB as RGB
EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".gif"})


def decode(encoded: str | Path | bytes, geometry: Geometry) -> np.ndarray:
    """uint8 (S, S, 3) of the first frame of a file, or of its bytes; S is the geometry's size. Resized by PIL, cropped.

    With the crop `center` this is torchvision's Resize and CenterCrop, and a square of the right size stays as it is.
    An image of another size is refused where the geometry takes images as they are. Raises whatever PIL raises on a
    damaged file, and ValueError on one that is too large, of an unknown range or refused.
    """
    size = (geometry.size, geometry.size)
    with opened(encoded) as image:
        if geometry.resize is None and image.size != size:
            raise ValueError(f"{image.width} x {image.height} pixels instead of {geometry.size} x {geometry.size}")
        return resize_and_crop(to_rgb(image), geometry)


def decode_whole(encoded: str | Path | bytes) -> np.ndarray:
    """uint8 RGB (H, W, 3) of the first frame, as it is. Raises as `decode` does."""
    with opened(encoded) as image:
        return np.asarray(to_rgb(image))


def opened(encoded: str | Path | bytes) -> Image.Image:
    """An image whose header has been read. Raises OSError for what is no file (a pipe would never end) and ValueError
    for more pixels than an image may have, both before anything is decoded."""
    if isinstance(encoded, bytes):
        image = _of_bytes(encoded)
    elif not stat.S_ISREG(os.stat(encoded).st_mode):
        raise OSError("no regular file")
    else:
        image = Image.open(encoded)
    refuse_too_large(image.size)
    return image


def _of_bytes(encoded: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(encoded))
    except UnidentifiedImageError as error:  # whose own text names an address in memory
        raise UnidentifiedImageError(f"cannot identify the image in its {len(encoded):,} bytes") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB: alpha dropped and CMYK converted by PIL, 16-bit grey scaled to 8 bits (PIL would clip it)."""
    if image.mode == "F":
        raise ValueError("float pixels have no known range: save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.int64)
        if levels.min() < 0 or levels.max() > 65535:
            raise ValueError("integer pixels outside 0..65535: save it with 8 or 16 bits")
        image = Image.fromarray(np.rint(levels / 257).astype(np.uint8))
    return image.convert("RGB")


def resize_and_crop(image: Image.Image, geometry: Geometry) -> np.ndarray:
    """uint8 (S, S, 3): an image scaled and cut as `geometry` says."""
    size = scaled_size(image.size, geometry)
    refuse_too_large(size)
    if size != image.size:
        image = image.resize(size, Image.Resampling[(geometry.interpolation or "bilinear").upper()])
    left, top = (round((side - geometry.size) / 2) for side in size)
    return np.asarray(image.crop((left, top, left + geometry.size, top + geometry.size)))


def scaled_size(size: tuple[int, int], geometry: Geometry) -> tuple[int, int]:
    """(width, height) before the crop, rounded down as torchvision does."""
    if geometry.resize is None:
        return size
    if geometry.crop == "center":
        width, height = (int(geometry.resize * side / min(size)) for side in size)
        return width, height
    return geometry.resize, geometry.resize


def refuse_too_large(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f"{size[0]} x {size[1]} pixels are more than the {MAX_PIXELS:,} an image may have")
