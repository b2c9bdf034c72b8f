"""Blur: gaussian_blur, defocus_blur, glass_blur, motion_blur and zoom_blur.

Algorithms and constants: ImageNet-C's generation scripts (Hendrycks & Dietterich, ICLR 2019). `draw` makes all the
randomness of N images; `apply` is pure. images: uint8 (N, H, W, 3) in and out, at any size.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lst_robust.corruptions.base import Corruption, Draws, batched, compiled, to_uint8, to_unit
from lst_robust.corruptions.filters import (
    axis_zoom,
    correlate_disk,
    disk,
    gaussian,
    motion_blur,
    motion_taps,
    round_16_bit,
    zoom,
)
from lst_robust.corruptions.streams import Streams

Images = NDArray[np.uint8]

ANGLE, OFFSETS = 0, 0  # the number of each function's one stream


class GaussianBlur(NamedTuple):
    sigma: float


class DefocusBlur(NamedTuple):
    radius: float
    alias_sigma: float


class GlassBlur(NamedTuple):
    sigma: float
    max_delta: int
    iterations: int


class MotionBlur(NamedTuple):
    """`rounding`: "16-bit" as ImageMagick (floor(v + 0.5/257) on 0..255 values), "truncate" as float64 to
    uint8."""

    radius: int
    sigma: float
    rounding: Literal["16-bit", "truncate"] = "16-bit"


class ZoomBlur(NamedTuple):
    """Zoom factors are `np.arange(start, stop, step)`, ends included as np.arange does."""

    start: float
    stop: float
    step: float


def apply_gaussian_blur(images: Images, draws: Draws, c: GaussianBlur) -> Images:
    """Gaussian of `sigma` pixels. draws: none."""
    return to_uint8(gaussian(to_unit(images), c.sigma))


def apply_defocus_blur(images: Images, draws: Draws, c: DefocusBlur) -> Images:
    """Correlation with an anti-aliased disk. draws: none."""
    return np.minimum(correlate_disk(images, disk(c.radius, c.alias_sigma)), 255).astype(np.uint8)


def draw_glass_blur(streams: Streams, height: int, width: int, c: GlassBlur) -> Draws:
    """`offsets`: integers (N, iterations, height - 2d, width - 2d, 2) in [-d, d), d = max_delta; the last axis is
    (dx, dy), the scan from the bottom right to the top left, as the reference draws them."""
    d = c.max_delta
    shape = (c.iterations, height - 2 * d, width - 2 * d)
    pairs = streams.integers(OFFSETS, shape, 0, (2 * d) ** 2)  # one word for both
    return {"offsets": np.stack([pairs % (2 * d), pairs // (2 * d)], axis=-1) - d}


def apply_glass_blur(images: Images, draws: Draws, c: GlassBlur) -> Images:
    """Gaussian, to uint8, each pixel replaced by a near one, Gaussian.

    The reference means to swap two pixels, but swaps NumPy views: in fact one is copied over the other.
    """
    x = (gaussian(to_unit(images), c.sigma) * 255).astype(np.uint8)
    for i in range(c.iterations):
        x = _replaced_by_neighbours(x, draws["offsets"][:, i], c.max_delta)
    return to_uint8(gaussian(to_unit(x), c.sigma))


def _replaced_by_neighbours(x: Images, offsets: NDArray[np.integer], d: int) -> Images:
    """One scan from (H - d, W - d) down to (d + 1, d + 1), each pixel taking over x[y + dy, x + dx] as it then is.

    A pixel that copies from one already scanned gets what that one got: the chains are followed to their ends by
    doubling, for all pixels at once.
    """
    n, height, width = x.shape[:3]
    flat = np.arange(height * width).reshape(height, width)
    scanned = (slice(None), slice(height - d, d, -1), slice(width - d, d, -1))
    source = np.broadcast_to(flat, (n, height, width)).copy()
    source[scanned] += offsets[..., 1] * width + offsets[..., 0]
    is_scanned = np.zeros((height, width), dtype=bool)
    is_scanned[scanned[1:]] = True
    # The scan goes down in flat order, so a source further on, if scanned at all, has been replaced already.
    replaced = is_scanned.reshape(-1)[source] & (source > flat)
    source, follow = source.reshape(n, -1), np.where(replaced, source, flat).reshape(n, -1)
    while True:
        further = np.take_along_axis(follow, follow, axis=1)
        if np.array_equal(further, follow):
            break
        follow = further
    origin = np.take_along_axis(source, follow, axis=1)
    return np.take_along_axis(x.reshape(n, -1, 3), origin[..., None], axis=1).reshape(x.shape)


def draw_motion_blur(streams: Streams, height: int, width: int, c: MotionBlur) -> Draws:
    """`angle`: degrees (N,), uniform in [-45, 45)."""
    return {"angle": streams.uniform(ANGLE, (), -45, 45)}


def apply_motion_blur(images: Images, draws: Draws, c: MotionBlur) -> Images:
    """A one-sided Gaussian along a line, rounded as ImageMagick (16 bit) or as imagecorruptions (truncation)."""
    taps = motion_taps(draws["angle"], c.radius, c.sigma)
    if c.rounding == "16-bit":
        return np.minimum(round_16_bit(motion_blur(images, taps, stop_outside=False)), 255).astype(np.uint8)
    return np.minimum(motion_blur(images, taps, stop_outside=True), 255).astype(np.uint8)


def apply_zoom_blur(images: Images, draws: Draws, c: ZoomBlur) -> Images:
    """Mean of the image and of its middle enlarged by each factor, summed in float32. draws: none."""
    height, width = images.shape[1:3]
    x = to_unit(images).astype(np.float32)
    total = np.zeros_like(x)
    factors = np.arange(c.start, c.stop, c.step)
    for factor in factors:
        enlarged = zoom(x, axis_zoom(height, factor), axis_zoom(width, factor))
        total += enlarged[:, :height, :width].astype(np.float32)
    return to_uint8((x + total) / (len(factors) + 1))


_MOTION = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))
_ZOOM_SMALL = tuple(ZoomBlur(1, stop, 0.01) for stop in (1.06, 1.11, 1.16, 1.21, 1.26))

CORRUPTIONS = (
    Corruption(
        name="gaussian_blur",
        constants={
            "imagenet": tuple(GaussianBlur(c) for c in (1, 2, 3, 4, 6)),
            "tiny-imagenet": tuple(GaussianBlur(c) for c in (0.5, 0.75, 1, 1.25, 1.5)),
            "cifar": tuple(GaussianBlur(c) for c in (0.4, 0.6, 0.7, 0.8, 1)),
        },
        apply=apply_gaussian_blur,
        kernel=compiled("blur", "gaussian_blur"),
        torch=batched("blur", "gaussian_blur"),
    ),
    Corruption(
        name="defocus_blur",
        constants={
            "imagenet": tuple(DefocusBlur(*c) for c in ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))),
            "tiny-imagenet": tuple(DefocusBlur(*c) for c in ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1))),
            "cifar": tuple(DefocusBlur(*c) for c in ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))),
        },
        apply=apply_defocus_blur,
        kernel=compiled("defocus", "defocus_blur"),
        torch=batched("blur", "defocus_blur"),
    ),
    Corruption(
        name="glass_blur",
        constants={
            "imagenet": tuple(GlassBlur(*c) for c in ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))),
            "tiny-imagenet": tuple(
                GlassBlur(*c) for c in ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2))
            ),
            "cifar": tuple(GlassBlur(*c) for c in ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))),
        },
        draw=draw_glass_blur,
        apply=apply_glass_blur,
        kernel=compiled("blur", "glass_blur"),
        torch=batched("blur", "glass_blur"),
    ),
    Corruption(
        name="motion_blur",
        constants={
            "imagenet": tuple(MotionBlur(*c) for c in _MOTION),
            "tiny-imagenet": tuple(MotionBlur(*c) for c in ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3))),
            "cifar": tuple(MotionBlur(*c) for c in ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))),
        },
        imagecorruptions=tuple(MotionBlur(*c, "truncate") for c in _MOTION),
        draw=draw_motion_blur,
        apply=apply_motion_blur,
        kernel=compiled("blur", "motion_blur"),
        torch=batched("blur", "motion_blur"),
    ),
    Corruption(
        name="zoom_blur",
        constants={
            "imagenet": tuple(
                ZoomBlur(*c)
                for c in ((1, 1.11, 0.01), (1, 1.16, 0.01), (1, 1.21, 0.02), (1, 1.26, 0.02), (1, 1.31, 0.03))
            ),
            "tiny-imagenet": _ZOOM_SMALL,
            "cifar": _ZOOM_SMALL,
        },
        apply=apply_zoom_blur,
        kernel=compiled("blur", "zoom_blur"),
        torch=batched("blur", "zoom_blur"),
    ),
)
