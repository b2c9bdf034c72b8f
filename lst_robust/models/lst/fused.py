"""The functions of fused.cpp on tensors: float32 on the CPU, channels last, (N, C, H, W) as torch sees them.

Images are shared out over torch's threads; ctypes releases the GIL, and what a call computes does not depend on how
many threads there are.
"""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from lst_robust.models.lst import building


class Each(NamedTuple):
    """An argument with a part for each image; other tensors are the same for all images."""

    tensor: Tensor | None  # None: a null pointer


def lanes(channels: int) -> int:
    """Floats in the kernel's vectors for a layer of so many channels, a multiple of 8: what its weights are packed for.

    The processor's widest, or 8 where they don't fit; the kernel is built for either.
    """
    built = building.library()
    assert built is not None
    widest: int = built.lst2_lanes()
    return widest if channels % widest == 0 else 8


def pack_pointwise(weight: Tensor) -> Tensor:
    """(outputs, inputs, 1, 1) -> (outputs/lanes, inputs, lanes): outputs side by side for each input."""
    outputs, inputs = weight.shape[:2]
    width = lanes(outputs)
    return weight.reshape(outputs // width, width, inputs).transpose(1, 2).contiguous()


def pack_spatial(weight: Tensor) -> Tensor:
    """(4·c, 1, 3, 3) k-major -> (c/lanes, 9, 4, lanes): the filters of channels side by side for each tap."""
    c = weight.shape[0] // 4
    width = lanes(c)
    return weight.reshape(4, c // width, width, 9).permute(1, 3, 0, 2).contiguous()


def shortcut(x: Tensor, out: Tensor, stride: int, source: Tensor, scale: Tensor, shift: Tensor) -> None:
    """out (N, outputs, H', W') = scale·x[:, source, ::stride, ::stride] + shift; source is int32."""
    sizes = (*_sizes(x), out.shape[1], stride)
    _over_images("lst2_shortcut", 0, len(x), 0, Each(x), Each(out), *sizes, source, scale, shift)


def shortcut_sums(x: Tensor, gradient: Tensor | None, stride: int, source: Tensor) -> Tensor:
    """Over all images and kept pixels, float64 (2, outputs): sums of g and g·x[source], where g is the gradient.

    Without a gradient: of x[source] and its square.
    """
    outputs = len(source)
    sums = torch.empty(len(x), 2, outputs, dtype=torch.float64)
    sizes = (*_sizes(x), outputs, stride)
    _over_images("lst2_shortcut_sums", 0, len(x), 2 * outputs, Each(x), Each(gradient), Each(sums), *sizes, source)
    return sums.sum(0)


def shortcut_backward(
    x: Tensor, gradient: Tensor, stride: int, source: Tensor, scale: Tensor, affine: tuple[Tensor, Tensor]
) -> Tensor:
    """Gradient of x: a·x + b at the kept pixels, plus scale·gradient for each output that comes from the channel."""
    dx = torch.empty_like(x)
    sizes = (*_sizes(x), len(source), stride)
    each = (Each(x), Each(gradient), Each(dx))
    _over_images("lst2_shortcut_backward", 0, len(x), 0, *each, *sizes, source, scale, *affine)
    return dx


def block(x: Tensor, out: Tensor, stride: int, weights: list[Tensor], tau: float) -> None:
    """The whole bottleneck: x (N, inputs, H, W); out (N, 4c, H', W') holds the residual and receives the result.

    `weights`: W1, b1, W2, b2, W3, b3, packed as above. `out` may be `x`.
    """
    inputs, height, width = x.shape[1:]
    c = out.shape[1] // 4
    scratch = (height + 3) * (width + 2) * c
    sizes = (height, width, inputs, c, stride)
    _over_images("lst2_block", lanes(c), len(x), scratch, Each(x), Each(out), *sizes, *weights, tau)


def tail(
    v: Tensor, residual: Tensor, out: Tensor, stride: int, weight: Tensor, bias: Tensor, taus: tuple[float, float]
) -> None:
    """out = ST(residual + bias + T_s ST(v)): v (N, c, H, W), the others (N, 4c, H', W'); `out` may be `residual`.

    `taus`: thresholds of the inner and the outer ST, 0 for none.
    """
    each = (Each(v), Each(residual), Each(out))
    _over_images("lst2_tail", weight.shape[-1], len(v), _padded(v), *each, *_sizes(v), stride, weight, bias, *taus)


def statistics(z: Tensor, stride: int, weight: Tensor) -> Tensor:
    """Sums of t = T_s z and of t² over all images and pixels: float64 (2, 4c)."""
    sums = torch.empty(len(z), 2, 4 * z.shape[1], dtype=torch.float64)
    scratch = _padded(z) + 8 * z.shape[1]
    _over_images("lst2_statistics", weight.shape[-1], len(z), scratch, Each(z), Each(sums), *_sizes(z), stride, weight)
    return sums.sum(0)


def backward_sums(
    z: Tensor, out: Tensor, gradient: Tensor, stride: int, weight: Tensor, tau: float
) -> tuple[Tensor, Tensor]:
    """g, the gradient before the last ST, and the sums of g and g·t: float64 (2, 4c)."""
    g = torch.empty_like(gradient)
    sums = torch.empty(len(z), 2, 4 * z.shape[1], dtype=torch.float64)
    each = (Each(z), Each(out), Each(gradient), Each(g), Each(sums))
    scratch = _padded(z) + 8 * z.shape[1]
    _over_images("lst2_backward_sums", weight.shape[-1], len(z), scratch, *each, *_sizes(z), stride, weight, tau)
    return g, sums.sum(0)


def backward(
    z: Tensor, g: Tensor, stride: int, weight: Tensor, affine: tuple[Tensor, Tensor, Tensor], tau: float
) -> tuple[Tensor, Tensor]:
    """Gradients of z (before its ST) and of the packed weight, from that of t, which is a·g + b·t + e."""
    dz = torch.empty_like(z)
    dw = torch.empty(len(z), *weight.shape)
    scratch = 2 * _padded(z) + 4 * weight.shape[-1] * z.shape[3]
    each = (Each(z), Each(g), Each(dz), Each(dw))
    _over_images("lst2_backward", weight.shape[-1], len(z), scratch, *each, *_sizes(z), stride, weight, *affine, tau)
    return dz, dw.sum(0)


def _sizes(z: Tensor) -> tuple[int, int, int]:
    return z.shape[2], z.shape[3], z.shape[1]


def _padded(z: Tensor) -> int:
    return (z.shape[2] + 2) * (z.shape[3] + 2) * z.shape[1]


def _over_images(
    name: str, width: int, images: int, scratch_size: int, *arguments: Each | Tensor | int | float
) -> None:
    """Call the function for all images, split evenly over the threads, each with scratch of its own.

    `width`: floats in its vectors, 0 where that does not matter.
    """
    function = getattr(building.library(width), name)

    def run(first: int, last: int) -> None:
        scratch = torch.empty(scratch_size)
        values = [_c_value(argument, first) for argument in arguments]
        function(ctypes.c_int64(last - first), ctypes.c_void_p(scratch.data_ptr()), *values)

    if images == 0:
        return
    threads = min(torch.get_num_threads(), images)
    bounds = [images * i // threads for i in range(threads + 1)]
    others = [_pool(threads - 1).submit(run, *part) for part in pairwise(bounds[1:])]
    run(0, bounds[1])
    for other in others:
        other.result()


def _c_value(argument: Each | Tensor | int | float, first: int) -> ctypes.c_void_p | ctypes.c_int | ctypes.c_float:
    if isinstance(argument, Each):
        return ctypes.c_void_p(None if argument.tensor is None else argument.tensor[first].data_ptr())
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    return ctypes.c_int(argument) if isinstance(argument, int) else ctypes.c_float(argument)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="lst-fused")
