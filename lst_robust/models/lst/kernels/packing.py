"""How the compiled passes want their weights: values of neighbouring channels side by side, as vectors hold them."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from lst_robust.models.lst.transforms import SoftThreshold


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def lanes(channels: int) -> int:
    """Floats in the vectors for a layer of so many channels, a multiple of 8: what its weights are packed for.

    The processor's widest, or 8 where the channels are not a multiple of them.
    """
    return _widest() if channels % _widest() == 0 else 8


@cache
def _widest() -> int:
    widest: int = torch.ops.lst_robust.lanes()
    return widest


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


def threshold(block: nn.Module) -> float:
    """tau of a block's ST, or 0 where it has none."""
    return block.threshold.tau if isinstance(block.threshold, SoftThreshold) else 0.0
