"""corruptions/blur.py on a device. Each function gives the bytes of the plain definition.

images: uint8 (N, H, W, 3) in and out, at any size.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lst_robust.corruptions.blur import ANGLE, OFFSETS, DefocusBlur, GaussianBlur, GlassBlur, MotionBlur, ZoomBlur
from lst_robust.torch_engine import filters
from lst_robust.torch_engine.arithmetic import divide, to_uint8, to_unit
from lst_robust.torch_engine.disks import correlate_disk
from lst_robust.torch_engine.filters import axis_zoom, gaussian, motion_taps, pixels_at, round_16_bit, short, zoom
from lst_robust.torch_engine.streams import TensorStreams


def gaussian_blur(images: Tensor, streams: TensorStreams, c: GaussianBlur) -> Tensor:
    return to_uint8(gaussian(to_unit(images), c.sigma))


def defocus_blur(images: Tensor, streams: TensorStreams, c: DefocusBlur) -> Tensor:
    return correlate_disk(images, c.radius, c.alias_sigma).clamp_(0, 255).to(torch.uint8)


def glass_blur(images: Tensor, streams: TensorStreams, c: GlassBlur) -> Tensor:
    count, height, width = images.shape[:3]
    d = c.max_delta
    pairs = streams.integers(OFFSETS, (c.iterations, height - 2 * d, width - 2 * d), 0, (2 * d) ** 2)
    pairs = short(pairs, images).flip(2, 3)  # the scan goes from the bottom right to the top left
    steps = (torch.div(pairs, 2 * d, rounding_mode="floor") - d) * width + (pairs % (2 * d) - d)
    x = gaussian(to_unit(images), c.sigma).mul_(255).to(torch.uint8)
    for i in range(c.iterations):
        x = pixels_at(x, origins(steps[:, i], count, height, width, d))
    return to_uint8(gaussian(to_unit(x), c.sigma))


def origins(steps: Tensor, count: int, height: int, width: int, d: int) -> Tensor:
    """From which pixel of N images each one comes after one scan, as `pixels_at` takes it: (N, H, W), dtype of steps.

    steps (N, H - 2d, W - 2d): how far from each scanned pixel its source lies, in pixels of the flat image. A source
    further on in the flat image was scanned before, so what it got itself is copied.
    """
    pixels = torch.arange(count * height * width, device=steps.device, dtype=steps.dtype).reshape(count, height, width)
    source = pixels.clone()
    source[:, d + 1 : height - d + 1, d + 1 : width - d + 1] += steps
    # A pixel that is not scanned is its own source, and so the end of a chain.
    follow = torch.maximum(source, pixels).reshape(-1)
    for _ in range(longest_chain(height, width, d).bit_length()):
        follow = follow.index_select(0, follow)
    return source.reshape(-1).index_select(0, follow).reshape(pixels.shape)


def longest_chain(height: int, width: int, d: int) -> int:
    """An upper bound of the links of a chain of copies.

    A link goes down by dy >= 1 and sideways by dx >= -d, or right by dx >= 1 in its row. So (d + 1) * y + x grows by at
    least 1 with each link between scanned pixels, and one more link may lead out of them. With d = 1, offsets are -1
    and 0, and no link goes further on.
    """
    return (d + 1) * (height - 2 * d - 1) + (width - 2 * d - 1) + 1 if d > 1 else 0


def motion_blur(images: Tensor, streams: TensorStreams, c: MotionBlur) -> Tensor:
    taps = motion_taps(streams.uniform(ANGLE, (), -45, 45), c.radius, c.sigma)
    sixteen_bit = c.rounding == "16-bit"
    levels = filters.motion_blur(images, taps, stop_outside=not sixteen_bit)
    if sixteen_bit:
        levels = round_16_bit(levels)
    return levels.clamp_(max=255).to(torch.uint8)


def zoom_blur(images: Tensor, streams: TensorStreams, c: ZoomBlur) -> Tensor:
    height, width = images.shape[1:3]
    x = to_unit(images).float()
    doubled = x.double()
    total = torch.zeros_like(x)
    factors = np.arange(c.start, c.stop, c.step).tolist()
    for factor in factors:
        if factor == 1:  # the image itself, bit for bit
            total.add_(x)
            continue
        rows = axis_zoom(height, factor, images.device, kept=(0, height))
        columns = axis_zoom(width, factor, images.device, kept=(0, width))
        total.add_(zoom(doubled, rows, columns).float())
    return to_uint8(divide(x + total, len(factors) + 1))
