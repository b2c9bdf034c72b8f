"""LST-II for inference: blocks, one behind the other, in one compiled pass over each image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lst_robust.models.lst.folded import InferenceLSTII
from lst_robust.models.lst.form import is_threshold
from lst_robust.models.lst.kernels.packing import (
    float_channels_last,
    in_transform,
    pack_pointwise,
    pack_spatial,
    passes_take,
    threshold,
)

WEIGHTS = (torch.float32, torch.int32)  # of a block; the latter is its shortcut's choice of channels


class CompiledLSTII:
    """A folded bottleneck with its weights packed. It works on float32 on the CPU, channels last."""

    def __init__(self, block: InferenceLSTII) -> None:
        self.stride, self.tau = block.t_s.stride, threshold(block)
        self.inputs, self.outputs = block.t_r.weight.shape[1], 4 * block.t_s.channels
        self.weights: list[Tensor] = []
        self.pack(block)

    def pack(self, block: InferenceLSTII) -> None:
        """Takes the block's weights as they are now."""
        t_r, t_c, t_s, shortcut = block.t_r, block.t_c, block.t_s, block.shortcut
        mix = pack_pointwise(t_c.weight) if t_c.groups == 1 else t_c.weight.flatten()  # the latter is diagonal
        bias = t_s.bias if shortcut is None else t_s.bias + shortcut.shift.flatten()
        nothing = t_s.bias[:0]
        residual = [nothing, nothing] if shortcut is None else [shortcut.source, shortcut.scale.flatten()]
        pointwise = [pack_pointwise(t_r.weight), t_r.bias, mix, t_c.bias]
        self.weights = [*pointwise, pack_spatial(t_s.weight), bias, *residual]

    def takes(self, x: Tensor) -> bool:
        """Whether this can stand for the block: it has no gradient."""
        return runs_compiled(x) and x.shape[1] == self.inputs

    def __call__(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, 4·planes, H', W')."""
        return CompiledChain([self])(x)


class CompiledChain:
    """Blocks, one behind the other. What lies between them never leaves the processor's caches."""

    def __init__(self, blocks: Sequence[CompiledLSTII]) -> None:
        self.blocks, self.takes = blocks, blocks[0].takes
        self.strides, self.taus = [block.stride for block in blocks], [block.tau for block in blocks]

    def pack(self, module: nn.Module) -> None:
        """Nothing: the blocks have the weights."""

    def __call__(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H', W')."""
        weights = [weight for block in self.blocks for weight in block.weights]  # they may have been packed anew
        out: Tensor = torch.ops.lst_robust.blocks(float_channels_last(x), weights, self.strides, self.taus)
        return out


class CompiledHandler:
    """A 1x1 convolution with a bias, and ReLU."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        self.pack(convolution)

    def pack(self, convolution: nn.Conv2d) -> None:
        """Takes the convolution's weights as they are now."""
        assert convolution.bias is not None
        self.weight, self.bias = pack_pointwise(convolution.weight.detach()), convolution.bias.detach()
        self.inputs = convolution.in_channels

    def takes(self, x: Tensor) -> bool:
        """Whether this can stand for the layers: they have no gradient."""
        return runs_compiled(x) and x.shape[1] == self.inputs

    def __call__(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W)."""
        out: Tensor = torch.ops.lst_robust.pointwise_relu(float_channels_last(x), self.weight, self.bias)
        return out


def runs_compiled(x: Tensor) -> bool:
    """Whether the operators of inference take `x`."""
    in_graph = torch.compiler.is_compiling() or (x.requires_grad and torch.is_grad_enabled()) or in_transform()
    return passes_take(x) and not in_graph


def can_compile(block: InferenceLSTII) -> bool:
    """Whether the block has the form that is compiled: 3x3, four filters a channel, ReLU, ST or nothing, a multiple of
    4 channels, stride 1 or 2, weights in float32 on the CPU."""
    t_s = block.t_s
    form = t_s.weight.shape == (4 * t_s.channels, 1, 3, 3) and t_s.stride in (1, 2) and t_s.channels % 4 == 0
    kinks = type(block.relu) is nn.ReLU and is_threshold(block.threshold)
    return form and kinks and all(weight.is_cpu and weight.dtype in WEIGHTS for weight in block.buffers())


def can_compile_handler(convolution: nn.Conv2d) -> bool:
    """Whether it is a 1x1 convolution with a bias and without groups, to a multiple of 4 channels, in float32 on the
    CPU."""
    if convolution.bias is None or convolution.out_channels % 4:
        return False
    form = convolution.weight.shape[2:] == (1, 1) and convolution.stride == (1, 1) and convolution.groups == 1
    weights = (convolution.weight, convolution.bias)
    return form and convolution.padding == (0, 0) and all(w.is_cpu and w.dtype is torch.float32 for w in weights)
