"""How the compiled passes want their input, and their weights: values of neighbouring channels side by side, as vectors
hold them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lst_robust.models.lst.transforms import SoftThreshold

ROUNDED = (torch.bfloat16, torch.float16)


def passes_take(x: Tensor) -> bool:
    """Whether `x` is float32 on the CPU, or has been rounded by autocast. The passes work in float32 then, too: it is
    more exact, and LST-20 is faster so than with plain layers in bfloat16 (`benchmarks/lst_speed.py --amp`). There must
    be images (N, C, H, W), and pixels in them."""
    rounded = x.dtype in ROUNDED and torch.is_autocast_enabled("cpu")
    images = x.dim() == 4 and 0 not in x.shape[1:]
    return images and x.device.type == "cpu" and (x.dtype is torch.float32 or rounded)


def in_transform() -> bool:
    """Whether a transform of torch.func is at work: functions of autograd that know none cannot be transformed."""
    return torch._C._are_functorch_transforms_active()


def float_channels_last(x: Tensor) -> Tensor:
    """`x` in channels last, and in float32."""
    return x.float().contiguous(memory_format=torch.channels_last)


def lanes(channels: int) -> int:
    """Floats in the vectors for a layer of so many channels, a multiple of 4: what its weights are packed for.

    The widest of the processor (16, 8 or 4; LST_ROBUST_LST_VECTORS may ask for narrower ones) of which the channels are
    a multiple.
    """
    widest: int = torch.ops.lst_robust.lanes()
    return next(width for width in (16, 8, 4) if width <= widest and channels % width == 0)


def pack_pointwise(weight: Tensor, width: int | None = None, *, transposed: bool = False) -> Tensor:
    """The weight of a 1x1 convolution, float32 (outputs, inputs, ...) -> (outputs/width, inputs, width): outputs side
    by side for each input. Raises RuntimeError for other shapes.

    width: floats in a vector; `lanes` of the weight's first axis if it is not given.
    transposed: of the transposed weight, so inputs and outputs change places.
    """
    width = width or lanes(weight.shape[0])
    packed: Tensor = torch.ops.lst_robust.pack_pointwise(weight, width, transposed)
    return packed


def pack_spatial(weight: Tensor) -> Tensor:
    """(4·c, 1, 3, 3) k-major -> (c/lanes, 9, 4, lanes): the filters of channels side by side for each tap."""
    c = weight.shape[0] // 4
    width = lanes(c)
    return weight.reshape(4, c // width, width, 9).permute(1, 3, 0, 2).contiguous()


def threshold(block: nn.Module) -> float:
    """tau of a block's ST, or 0 where it has none."""
    return block.threshold.tau if isinstance(block.threshold, SoftThreshold) else 0.0
