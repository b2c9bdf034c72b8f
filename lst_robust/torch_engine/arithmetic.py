"""Arithmetic that gives the same bits on every device.

A result is the plain definition's, bit for bit, where each operation is rounded on its own, as IEEE 754 demands, and
where the order is the definition's. torch on CUDA keeps to that but for three things, which this package avoids:

- a tensor divided by a Python number is multiplied by the reciprocal: `divide` divides;
- `alpha=`, `addcmul`, `lerp` and the like multiply and add with one rounding: write the two operations;
- sums, means, products of matrices and convolutions add in an order of their own: add in the definition's order, or
  add integers, whose sum is the same in any order.
"""

from __future__ import annotations

import torch
from torch import Tensor


def divide(x: Tensor, divisor: float) -> Tensor:
    """x / divisor, correctly rounded on every device. x: float."""
    return x / torch.full((), divisor, dtype=x.dtype, device=x.device)


def to_unit(images: Tensor) -> Tensor:
    """uint8 -> float64 in [0, 1], as x / 255."""
    return divide(images.double(), 255.0)


def to_uint8(x: Tensor) -> Tensor:
    """Float in [0, 1] (values outside are clipped) -> uint8, times 255 and truncated as every reference does."""
    return x.clamp(0, 1).mul_(255).to(torch.uint8)
