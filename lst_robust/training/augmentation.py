"""Augmentation: draws that belong to an image's place in the epoch, and what they do to the pixels.

The draws are made for a whole batch, whatever part of it a process has, so that the processes of a shared training see
the images one process would see.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as transforms

from lst_robust.data import ImageSource
from lst_robust.suites.recipe import Augmentation

LOG_RATIOS = (math.log(3 / 4), math.log(4 / 3))  # of width to height of a random part (Szegedy et al. 2015)
ATTEMPTS = 10


class Draws(NamedTuple):
    """For each of n images: the corner of its crop, int64 (2, n), and whether it is mirrored, bool (n,); None: no."""

    corner: torch.Tensor | None
    flip: torch.Tensor | None

    @classmethod
    def of(cls, n: int, augmentation: Augmentation, generator: torch.Generator) -> Draws:
        places = 2 * augmentation.crop_padding + 1
        corner = torch.randint(0, places, (2, n), generator=generator) if augmentation.crop_padding else None
        flip = torch.rand(n, generator=generator) < 0.5 if augmentation.flip else None
        return cls(corner, flip)

    def share(self, rank: int, world: int) -> Draws:
        """The draws of every `world`-th image from `rank` on."""
        corner = None if self.corner is None else self.corner[:, rank::world]
        return Draws(corner, None if self.flip is None else self.flip[rank::world])

    def part(self, images: slice) -> Draws:
        """The draws of some images."""
        corner = None if self.corner is None else self.corner[:, images]
        return Draws(corner, None if self.flip is None else self.flip[images])


def augment(images: torch.Tensor, draws: Draws, crop_padding: int) -> torch.Tensor:
    """Crop after zero padding, then horizontal flip; uint8 (n, 3, H, W) -> the same shape and dtype."""
    if draws.corner is not None:
        images = _cropped(images, crop_padding, draws.corner)
    if draws.flip is not None:
        images = torch.where(draws.flip[:, None, None, None], images.flip(3), images)
    return images


def _cropped(images: torch.Tensor, padding: int, corner: torch.Tensor) -> torch.Tensor:
    """Pads each side with `padding` zeros and cuts the original size out at each image's corner."""
    n, _, height, width = images.shape
    padded = F.pad(images, (padding, padding, padding, padding))
    top, left = corner
    # Indices of the rows and columns each image keeps, broadcast to (n, 1, H, W).
    rows = (top[:, None] + torch.arange(height))[:, None, :, None]
    columns = (left[:, None] + torch.arange(width))[:, None, None, :]
    return padded[torch.arange(n)[:, None, None, None], torch.arange(3)[None, :, None, None], rows, columns]


def augmented_on_device(
    images: torch.Tensor, indices: torch.Tensor | None, draws: Draws, crop_padding: int
) -> torch.Tensor:
    """The images at `indices` (None: all) with crop and flip, all on one device; the pixels that `augment` gives.

    images: uint8 (n, S, S, 3) -> uint8 (b, S, S, 3). Each pixel is fetched from where it comes from, in one pass.
    """
    corner, flip = draws
    if corner is None and flip is None:
        return images if indices is None else images.index_select(0, indices)
    (n, size), device = images.shape[:2], images.device
    chosen = torch.arange(n, device=device) if indices is None else indices
    rows = columns = torch.arange(size, device=device)[None]
    if flip is not None:
        columns = torch.where(flip[:, None], size - 1 - columns, columns)
    inside = None
    if corner is not None:  # which lies in the padded image
        top, left = corner - crop_padding
        rows, columns = rows + top[:, None], columns + left[:, None]
        inside = ((rows >= 0) & (rows < size))[:, :, None] & ((columns >= 0) & (columns < size))[:, None, :]
        rows, columns = rows.clamp(0, size - 1), columns.clamp(0, size - 1)
    fetched = images[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]
    return fetched if inside is None else fetched.mul_(inside[..., None])


def random_parts(source: ImageSource, indices: Sequence[int], smallest: float, seed: int, epoch: int) -> np.ndarray:
    """uint8 (n, S, S, 3): a random part of each whole image, scaled to the source's image size S.

    smallest: least share of the image's area. The draw depends on seed, epoch and index only, not on the order or the
    threads in which images are read.
    """
    size = [source.image_size, source.image_size]
    parts = []
    for index in indices:
        whole = Image.fromarray(source.whole(int(index)))
        box = random_box(whole.height, whole.width, smallest, np.random.default_rng((seed, epoch, int(index))))
        parts.append(np.asarray(transforms.resized_crop(whole, *box, size, antialias=True)))
    return np.stack(parts)


def random_box(height: int, width: int, smallest: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Top, left, height and width of a part of an image: at least `smallest` of its area, sides of 3:4 to 4:3.

    Where ten draws don't fit into the image (it is long and thin) it is the largest centred part of allowed sides.
    """
    for _ in range(ATTEMPTS):
        area = height * width * rng.uniform(smallest, 1)
        ratio = math.exp(rng.uniform(*LOG_RATIOS))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w
    narrowest, widest = map(math.exp, LOG_RATIOS)
    w, h = min(width, round(height * widest)), min(height, round(width / narrowest))
    return (height - h) // 2, (width - w) // 2, h, w
