"""Arithmetic that gives the same bits on every device.

A result is the plain definition's, bit for bit, where each operation is rounded on its own, as IEEE 754 demands, and
where the order is the definition's. torch keeps to that but for four things, which this package avoids:

- on CUDA a tensor divided by a Python number is multiplied by the reciprocal: `divide` divides;
- `alpha=`, `addcmul`, `lerp` and the like multiply and add with one rounding: write the two operations, or use them on
  integers only;
- sums, means, products of matrices and convolutions add in an order of their own: add in the definition's order, or
  add integers, whose sum is the same in any order;
- on the CPU some square roots are one unit in the last place off (torch 2.14 with AVX-512: one in six of float32, one
  in eighty of float64): `square_root` rounds them correctly.

`torch.where` with a Python number first fills a tensor with it on the device (aten::scalar_tensor). The host does not
wait for that, but it is one more operation: `masked_fill` takes the number itself.
"""

from __future__ import annotations

import torch
from torch import Tensor


def divide(x: Tensor, divisor: float) -> Tensor:
    """x / divisor, correctly rounded on every device. x: float."""
    return x / torch.full((), divisor, dtype=x.dtype, device=x.device)


def square_root(x: Tensor) -> Tensor:
    """The square root of float32, correctly rounded on every device.

    No square root of 24 bits is nearer to the middle of two float32 numbers than 4 units of float64. So one that is a
    unit of float64 off still becomes the right float32.
    """
    return x.double().sqrt_().float()


def to_unit(images: Tensor) -> Tensor:
    """uint8 -> float64 in [0, 1], as x / 255, in one pass."""
    return images / torch.full((), 255.0, dtype=torch.float64, device=images.device)


def to_uint8(x: Tensor) -> Tensor:
    """Float in [0, 1] (values outside are clipped) -> uint8, times 255 and truncated as every reference does."""
    return x.clamp(0, 1).mul_(255).to(torch.uint8)
