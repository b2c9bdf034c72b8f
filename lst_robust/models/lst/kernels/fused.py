"""The functions of fused.cpp on tensors: float32 on the CPU, channels last, (N, C, H, W) as torch sees them.

Images are shared out over torch's threads; ctypes releases the GIL, and what a call computes does not depend on how
many threads there are.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from lst_robust.models.lst.kernels import building
from lst_robust.models.lst.kernels.threads import run_all

TILE = 32  # as in fused.cpp
Affine = tuple[Tensor, Tensor]  # scale and shift, (C,) each


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


def pack_pointwise(weight: Tensor, width: int = 0) -> Tensor:
    """(outputs, inputs, ...) -> (outputs/width, inputs, width): outputs side by side for each input.

    `width`: `lanes` of the outputs if not given.
    """
    outputs, inputs = weight.shape[:2]
    width = width or lanes(outputs)
    return weight.reshape(outputs // width, width, inputs).transpose(1, 2).contiguous()


def pack_spatial(weight: Tensor) -> Tensor:
    """(4·c, 1, 3, 3) k-major -> (c/lanes, 9, 4, lanes): the filters of channels side by side for each tap."""
    c = weight.shape[0] // 4
    width = lanes(c)
    return weight.reshape(4, c // width, width, 9).permute(1, 3, 0, 2).contiguous()


def shortcut(x: Tensor, out: Tensor, stride: int, source: Tensor, scale: Tensor, shift: Tensor) -> None:
    """out (N, outputs, H', W') = scale·x[:, source, ::stride, ::stride] + shift; source is int32."""
    sizes = (*_sizes(x), out.shape[1], stride)
    _over_images(
        "lst2_shortcut", 0, len(x), out.shape[3] * len(source), Each(x), Each(out), *sizes, source, scale, shift
    )


def shortcut_sums(x: Tensor, gradient: Tensor | None, stride: int, source: Tensor) -> Tensor:
    """Over all images and kept pixels, float64 (2, outputs): sums of g and g·x[source], where g is the gradient.

    Without a gradient: of x[source] and its square.
    """
    outputs = len(source)
    sums = torch.empty(len(x), 2, outputs, dtype=torch.float64)
    sizes = (*_sizes(x), outputs, stride)
    scratch = (2 + x.shape[3]) * outputs
    _over_images("lst2_shortcut_sums", 0, len(x), scratch, Each(x), Each(gradient), Each(sums), *sizes, source)
    return sums.sum(0)


def shortcut_backward(
    x: Tensor, gradient: Tensor, stride: int, source: Tensor, scale: Tensor, affine: tuple[Tensor, Tensor]
) -> Tensor:
    """Gradient of x: a·x + b at the kept pixels, plus scale·gradient for each output that comes from the channel."""
    dx = torch.empty_like(x)
    inputs, outputs = x.shape[1], len(source)
    places = source.argsort(stable=True).int().reshape(inputs, -1).T.contiguous()  # every channel is taken as often
    each = (Each(x), Each(gradient), Each(dx))
    sizes = (*_sizes(x), outputs, stride)
    _over_images("lst2_shortcut_backward", 0, len(x), 2 * x.shape[3] * outputs, *each, *sizes, places, scale, *affine)
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
    v: Tensor,
    residual: Tensor,
    out: Tensor,
    stride: int,
    affine: Affine | None,
    weight: Tensor,
    bias: Tensor,
    tau: float,
) -> None:
    """out = ST(residual + bias + T_s ST(scale·v + shift)): v (N, c, H, W), the others (N, 4c, H', W').

    `affine`: scale and shift, None for v itself; tau = 0 for no ST; `out` may be `residual`.
    """
    each = (Each(v), Each(residual), Each(out))
    sizes = (*_sizes(v), stride)
    _over_images(
        "lst2_tail", weight.shape[-1], len(v), _padded(v), *each, *sizes, *_nullable(affine), weight, bias, tau
    )


def sums(v: Tensor) -> Tensor:
    """Sums of v and v² over all images and pixels: float64 (2, c)."""
    c = v.shape[1]
    parts = torch.empty(len(v), 2, c, dtype=torch.float64)
    _over_images("lst2_sums", lanes(c), len(v), 2 * c, Each(v), Each(parts), _pixels(v), c)
    return parts.sum(0)


def statistics(v: Tensor, stride: int, affine: Affine, weight: Tensor, tau: float) -> Tensor:
    """Sums of t = T_s ST(scale·v + shift) and of t² over all images and pixels: float64 (2, 4c)."""
    parts = torch.empty(len(v), 2, 4 * v.shape[1], dtype=torch.float64)
    scratch = _padded(v) + 8 * v.shape[1]
    each, sizes = (Each(v), Each(parts)), (*_sizes(v), stride)
    _over_images("lst2_statistics", weight.shape[-1], len(v), scratch, *each, *sizes, *affine, weight, tau)
    return parts.sum(0)


def backward_sums(
    v: Tensor, out: Tensor, gradient: Tensor, stride: int, affine: Affine, weight: Tensor, tau: float
) -> tuple[Tensor, Tensor]:
    """g, the gradient before the last ST, and the sums of g and g·t: float64 (2, 4c)."""
    g = torch.empty_like(gradient)
    parts = torch.empty(len(v), 2, 4 * v.shape[1], dtype=torch.float64)
    each, sizes = (Each(v), Each(out), Each(gradient), Each(g), Each(parts)), (*_sizes(v), stride)
    scratch = _padded(v) + 8 * v.shape[1]
    _over_images("lst2_backward_sums", weight.shape[-1], len(v), scratch, *each, *sizes, *affine, weight, tau)
    return g, parts.sum(0)


def backward(
    v: Tensor, g: Tensor, stride: int, affine: Affine, weight: Tensor, of_t: tuple[Tensor, Tensor, Tensor], tau: float
) -> tuple[Tensor, Tensor, Tensor]:
    """From the gradient of t, which is a·g + b·t + e: dz, that of scale·v + shift, and that of the packed weight.

    Also the sums of dz and dz·v: float64 (2, c).
    """
    c, width = v.shape[1], weight.shape[-1]
    dz = torch.empty_like(v)
    dw = torch.empty(len(v), *weight.shape)
    parts = torch.empty(len(v), 2, c, dtype=torch.float64)
    scratch = 2 * _padded(v) + 4 * width * v.shape[3] + 2 * c
    each, sizes = (Each(v), Each(g), Each(dz), Each(dw), Each(parts)), (*_sizes(v), stride)
    _over_images("lst2_backward", width, len(v), scratch, *each, *sizes, *affine, weight, *of_t, tau)
    return dz, dw.sum(0), parts.sum(0)


def normalise_backward_(dz: Tensor, v: Tensor, affine: tuple[Tensor, Tensor, Tensor]) -> None:
    """dz = a·dz + b·v + e, in place."""
    c = v.shape[1]
    _over_images("lst2_normalise_backward", lanes(c), len(v), 0, Each(v), Each(dz), _pixels(v), c, *affine)


def pointwise(x: Tensor, weight: Tensor, affine: Affine | None = None) -> tuple[Tensor, Tensor]:
    """W x, or W relu(scale·x + shift), and the sums of its values and of their squares: float64 (2, outputs)."""
    n, inputs = x.shape[:2]
    outputs, width = len(weight), lanes(math.gcd(len(weight), inputs))
    out = torch.empty((n, outputs, *x.shape[2:]), memory_format=torch.channels_last)
    parts = torch.empty(n, 2, outputs, dtype=torch.float64)
    each, sizes = (Each(x), Each(out), Each(parts)), (_pixels(x), inputs, outputs)
    packed = pack_pointwise(weight, width)
    scratch = TILE * inputs + 2 * outputs
    _over_images("lst2_pointwise", width, n, scratch, *each, *sizes, packed, *_nullable(affine))
    return out, parts.sum(0)


def mix_backward(x: Tensor, gradient: Tensor, weight: Tensor, affine: Affine) -> tuple[Tensor, Tensor, Tensor]:
    """From the gradient of W relu(scale·x + shift): dx, that of scale·x + shift, and that of W.

    Also the sums of dx and dx·x: float64 (2, c).
    """
    n, c = x.shape[:2]
    width = lanes(c)
    dx, dw = torch.empty_like(x), torch.empty(n, c, c)
    parts = torch.empty(n, 2, c, dtype=torch.float64)
    each = (Each(x), Each(gradient), Each(dx), Each(dw), Each(parts))
    packed = pack_pointwise(weight.flatten(1).T, width)
    _over_images("lst2_mix_backward", width, n, (TILE + 2) * c, *each, _pixels(x), c, packed, *affine)
    return dx, dw.sum(0).view_as(weight), parts.sum(0)


def resize_backward_(
    dx: Tensor, x: Tensor, y: Tensor, dy: Tensor, weight: Tensor, affine: tuple[Tensor, Tensor, Tensor]
) -> Tensor:
    """The gradient of y = W x being a·dy + b·y + e: adds that of x to dx, and returns that of W."""
    outputs, inputs = weight.shape[:2]
    width = lanes(math.gcd(inputs, outputs))
    dw = torch.empty(len(x), outputs, inputs)
    each = (Each(x), Each(y), Each(dy), Each(dx), Each(dw))
    packed = pack_pointwise(weight.flatten(1).T, width)
    scratch = TILE * outputs
    _over_images("lst2_resize_backward", width, len(x), scratch, *each, _pixels(x), inputs, outputs, packed, *affine)
    return dw.sum(0).view_as(weight)


def _nullable(affine: Affine | None) -> tuple[Each | Tensor, Each | Tensor]:
    return (Each(None), Each(None)) if affine is None else affine


def _pixels(v: Tensor) -> int:
    return v.shape[2] * v.shape[3]


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
    threads = max(1, min(torch.get_num_threads(), images))
    bounds = [images * i // threads for i in range(threads + 1)]

    def share(first: int, last: int) -> Callable[[], object]:
        scratch = torch.empty(scratch_size)
        values = [_c_value(argument, first) for argument in arguments]
        return lambda: function(ctypes.c_int64(last - first), ctypes.c_void_p(scratch.data_ptr()), *values)

    if images:
        run_all([share(*part) for part in pairwise(bounds)])


def _c_value(argument: Each | Tensor | int | float, first: int) -> ctypes.c_void_p | ctypes.c_int | ctypes.c_float:
    if isinstance(argument, Each):
        return ctypes.c_void_p(None if argument.tensor is None else argument.tensor[first].data_ptr())
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    return ctypes.c_int(argument) if isinstance(argument, int) else ctypes.c_float(argument)
