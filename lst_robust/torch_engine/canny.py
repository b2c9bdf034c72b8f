"""OpenCV's edge detector of Canny on a device, for many images at once: cv2.Canny(image, 50, 150), pixel for pixel.

All of it is arithmetic on integers, so that a device cannot give another result.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from lst_robust.torch_engine.reaching import reached

LOW, HIGH = 50, 150
"""An edge has somewhere a gradient above HIGH, and everywhere one above LOW."""

SLOPE_BITS = 15
TAN_22 = 13573
"""The tangent of 22.5 degrees times 2^15, as OpenCV rounds it. The one of 67.5 degrees is greater by 2."""


def canny(images: Tensor) -> Tensor:
    """Where the edges are. images: uint8 (N, H, W) -> bool (N, H, W)."""
    ridges, gradient = gradient_ridges(images)
    return reached(ridges & (gradient > LOW), ridges & (gradient > HIGH))


def sobel(images: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives to the right and downwards by 3x3 pixels, the edge pixel repeated outside: two int32 (N, H, W)."""
    x = images.int()
    x = torch.cat([x[:, :1], x, x[:, -1:]], 1)
    x = torch.cat([x[..., :1], x, x[..., -1:]], 2)
    smooth = x[:, :-2] + x[:, 2:] + (x[:, 1:-1] << 1)
    step = x[:, 2:] - x[:, :-2]
    return smooth[..., 2:] - smooth[..., :-2], step[..., :-2] + step[..., 2:] + (step[..., 1:-1] << 1)


def gradient_ridges(images: Tensor) -> tuple[Tensor, Tensor]:
    """Where the gradient is greater than on either side of the edge, bool, and the gradient itself (|dx| + |dy|),
    int32; both (N, H, W).

    The two pixels that are compared with lie in one of four directions, by the slope of the gradient. Of two equal
    neighbours in a row or column the first is a ridge; of two on a diagonal none is. Outside there is no gradient.
    """
    dx, dy = sobel(images)
    x, y = dx.abs(), dy.abs()
    gradient = x + y
    around = pad(gradient, (1, 1, 1, 1))
    above, here, below = around[:, :-2], around[:, 1:-1], around[:, 2:]

    in_row = (gradient > here[..., :-2]) & (gradient >= here[..., 2:])
    in_column = (gradient > above[..., 1:-1]) & (gradient >= below[..., 1:-1])
    falling = (gradient > above[..., :-2]) & (gradient > below[..., 2:])
    rising = (gradient > above[..., 2:]) & (gradient > below[..., :-2])

    y <<= SLOPE_BITS
    flat = x * TAN_22
    steep = flat + (x << (SLOPE_BITS + 1))
    diagonal = torch.where((dx ^ dy) < 0, rising, falling)
    return torch.where(y < flat, in_row, torch.where(y > steep, in_column, diagonal)), gradient
