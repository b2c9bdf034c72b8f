"""Augmentation of a whole batch at once, each image with its own draw."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from lst_robust.suites import Augmentation


def augment(images: torch.Tensor, augmentation: Augmentation, generator: torch.Generator) -> torch.Tensor:
    """Random crop after zero padding, then random horizontal flip; uint8 (n, 3, H, W) -> the same shape and dtype."""
    if augmentation.crop_padding:
        images = random_crop(images, augmentation.crop_padding, generator)
    if augmentation.flip:
        images = random_flip(images, generator)
    return images


def random_crop(images: torch.Tensor, padding: int, generator: torch.Generator) -> torch.Tensor:
    """Pads each side with `padding` zeros and cuts the original size out at a place drawn for each image."""
    n, _, height, width = images.shape
    padded = F.pad(images, (padding, padding, padding, padding))
    top, left = torch.randint(0, 2 * padding + 1, (2, n), generator=generator)
    # Indices of the rows and columns each image keeps, broadcast to (n, 1, H, W).
    rows = (top[:, None] + torch.arange(height))[:, None, :, None]
    columns = (left[:, None] + torch.arange(width))[:, None, None, :]
    return padded[torch.arange(n)[:, None, None, None], torch.arange(3)[None, :, None, None], rows, columns]


def random_flip(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirrors each image left to right with probability 1/2."""
    flip = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(flip[:, None, None, None], images.flip(3), images)
