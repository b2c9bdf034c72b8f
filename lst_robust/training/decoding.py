"""Images decoded and scaled by torchvision, for a device that trains faster than PIL decodes.

JPEG files are decoded to the same pixels as PIL's; scaled, they differ by one of 255 levels at most (measured: in 3 %
of the values). Other files, and unusual JPEG files, are decoded by PIL.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from lst_robust.data import ImageSource
from lst_robust.data.decode import opened, scaled_size
from lst_robust.geometry import Geometry
from lst_robust.training.augmentation import random_box

try:
    from torchvision.io import ImageReadMode, decode_jpeg
except ImportError:  # torchvision says since 0.29 that a later release will be without: then PIL decodes
    decode_jpeg = None
warnings.filterwarnings("ignore", message="The image decoding and encoding capabilities of TorchVision are deprecated")

SCALED_BY_TORCHVISION = ("bilinear", "bicubic")


def decoded_parts(
    source: ImageSource, indices: Sequence[int], images: np.ndarray, smallest: float, seeds: tuple[int, int]
) -> None:
    """Writes random parts of the images at `indices` into `images`, uint8 (n, S, S, 3).

    The same parts as `random_parts` gives. smallest: least share of the image's area; seeds: of the recipe, and the
    number of the epoch. DataError for an image that cannot be read.
    """
    for place, index in enumerate(indices):
        whole = whole_image(source, index)
        box = random_box(whole.shape[1], whole.shape[2], smallest, np.random.default_rng((*seeds, index)))
        part = transforms.resized_crop(whole, *box, [source.image_size, source.image_size], antialias=True)
        images[place] = part.permute(1, 2, 0).numpy()


def decoded_squares(source: ImageSource, indices: Sequence[int], images: np.ndarray) -> None:
    """Writes the images at `indices` into `images`, uint8 (n, S, S, 3), cut and scaled by the source's geometry.
    DataError for an image that cannot be read."""
    geometry = source.geometry
    if geometry.resize is None or geometry.interpolation not in SCALED_BY_TORCHVISION:
        images[:] = source.read(indices)
        return
    for place, index in enumerate(indices):
        decoded = _jpeg(source.stored(index))
        images[place] = source.read([index])[0] if decoded is None else _square(decoded, geometry)


def whole_image(source: ImageSource, index: int) -> torch.Tensor:
    """uint8 RGB (3, H, W) of one image in its own size; DataError when it cannot be read."""
    decoded = _jpeg(source.stored(index))
    return torch.from_numpy(source.whole(index).copy()).permute(2, 0, 1) if decoded is None else decoded


def _jpeg(stored: Path | bytes | None) -> torch.Tensor | None:
    """uint8 RGB (3, H, W) of a JPEG file; None for anything else. PIL says what is wrong with a damaged file."""
    if stored is None or decode_jpeg is None:
        return None
    try:
        with opened(stored) as image:  # reads the header, and refuses too many pixels
            if image.format != "JPEG" or image.mode not in ("RGB", "L"):
                return None
        encoded = bytearray(stored if isinstance(stored, bytes) else stored.read_bytes())
        return decode_jpeg(torch.frombuffer(encoded, dtype=torch.uint8), mode=ImageReadMode.RGB)
    except Exception:  # decoders raise anything on damaged files
        return None


def _square(whole: torch.Tensor, geometry: Geometry) -> np.ndarray:
    """As `resize_and_crop` of lst_robust.data.decode does it."""
    height, width = whole.shape[1:]
    scaled_width, scaled_height = scaled_size((width, height), geometry)
    if (scaled_height, scaled_width) != (height, width):
        interpolation = InterpolationMode(geometry.interpolation)
        whole = transforms.resize(whole, [scaled_height, scaled_width], interpolation, antialias=True)
    left, top = (round((side - geometry.size) / 2) for side in (scaled_width, scaled_height))
    return whole[:, top : top + geometry.size, left : left + geometry.size].permute(1, 2, 0).numpy()
