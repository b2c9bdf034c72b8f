"""Colour: brightness and saturate, in HSV, and contrast.

Algorithms and constants: ImageNet-C's generation scripts (Hendrycks & Dietterich, ICLR 2019). images: uint8
(N, H, W, 3) in and out, at any size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from skimage.color import hsv2rgb, rgb2hsv

from lst_robust.corruptions.base import Corruption, Draws, batched, compiled, to_uint8, to_unit


class Shift(NamedTuple):
    """brightness: added to V; contrast: factor around the mean."""

    amount: float


class Saturate(NamedTuple):
    gain: float
    shift: float


def shifts(*five: float) -> tuple[Shift, ...]:
    """The records of the five severities."""
    return tuple(Shift(amount) for amount in five)


def apply_brightness(images: np.ndarray, draws: Draws, c: Shift) -> np.ndarray:
    x = rgb2hsv(to_unit(images))
    x[..., 2] = np.clip(x[..., 2] + c.amount, 0, 1)
    return to_uint8(hsv2rgb(x))


def apply_saturate(images: np.ndarray, draws: Draws, c: Saturate) -> np.ndarray:
    x = rgb2hsv(to_unit(images))
    x[..., 1] = np.clip(x[..., 1] * c.gain + c.shift, 0, 1)
    return to_uint8(hsv2rgb(x))


def apply_contrast(images: np.ndarray, draws: Draws, c: Shift) -> np.ndarray:
    """Around the mean of each image and channel."""
    x = to_unit(images)
    means = x.mean(axis=(1, 2), keepdims=True)
    return to_uint8((x - means) * c.amount + means)


CORRUPTIONS = (
    Corruption(
        name="brightness",
        constants={
            "imagenet": shifts(0.1, 0.2, 0.3, 0.4, 0.5),
            "tiny-imagenet": shifts(0.1, 0.2, 0.3, 0.4, 0.5),
            "cifar": shifts(0.05, 0.1, 0.15, 0.2, 0.3),
        },
        apply=apply_brightness,
        kernel=compiled("color", "brightness"),
        torch=batched("color", "brightness"),
    ),
    Corruption(
        name="contrast",
        constants={
            "imagenet": shifts(0.4, 0.3, 0.2, 0.1, 0.05),
            "tiny-imagenet": shifts(0.4, 0.3, 0.2, 0.1, 0.05),
            "cifar": shifts(0.75, 0.5, 0.4, 0.3, 0.15),
        },
        apply=apply_contrast,
        kernel=compiled("color", "contrast"),
        torch=batched("color", "contrast"),
    ),
    Corruption(
        name="saturate",
        constants={
            "imagenet": tuple(Saturate(*c) for c in ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2))),
            "tiny-imagenet": tuple(Saturate(*c) for c in ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2))),
            "cifar": tuple(Saturate(*c) for c in ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2))),
        },
        apply=apply_saturate,
        kernel=compiled("color", "saturate"),
        torch=batched("color", "saturate"),
    ),
)
