"""LST-II for inference: blocks, one behind the other, in one compiled pass over each image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lst_robust.models.lst.folded import InferenceLSTII
from lst_robust.models.lst.kernels.packing import float_channels_last, pack_pointwise, pack_spatial, passes_take
from lst_robust.models.lst.transforms import SoftThreshold


class CompiledLSTII:
    """A folded bottleneck with its weights packed. It works on float32 on the CPU, channels last."""

    def __init__(self, block: InferenceLSTII) -> None:
        self.stride = block.t_s.stride
        self.tau = block.threshold.tau if isinstance(block.threshold, SoftThreshold) else 0.0
        t_r, t_c, t_s, shortcut = block.t_r, block.t_c, block.t_s, block.shortcut
        mix = pack_pointwise(t_c.weight) if t_c.groups == 1 else t_c.weight.flatten()  # the latter is diagonal
        bias = t_s.bias if shortcut is None else t_s.bias + shortcut.shift.flatten()
        residual = [torch.empty(0)] * 2 if shortcut is None else [shortcut.source, shortcut.scale.flatten()]
        pointwise = [pack_pointwise(t_r.weight), t_r.bias, mix, t_c.bias]
        self.weights = [*pointwise, pack_spatial(t_s.weight), bias, *residual]

    def takes(self, x: Tensor) -> bool:
        """Whether this can stand for the block: it has no gradient."""
        return runs_compiled(x)

    def __call__(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, 4·planes, H', W')."""
        return CompiledChain([self])(x)


class CompiledChain:
    """Blocks, one behind the other. What lies between them never leaves the processor's caches."""

    def __init__(self, blocks: Sequence[CompiledLSTII]) -> None:
        self.takes = blocks[0].takes
        self.weights = [weight for block in blocks for weight in block.weights]
        self.strides, self.taus = [block.stride for block in blocks], [block.tau for block in blocks]

    def __call__(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H', W')."""
        out: Tensor = torch.ops.lst_robust.blocks(float_channels_last(x), self.weights, self.strides, self.taus)
        return out


class CompiledHandler:
    """A 1x1 convolution with a bias, and ReLU."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        assert convolution.bias is not None
        self.weight, self.bias = pack_pointwise(convolution.weight.detach()), convolution.bias.detach()

    def takes(self, x: Tensor) -> bool:
        """Whether this can stand for the layers: they have no gradient."""
        return runs_compiled(x)

    def __call__(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W)."""
        out: Tensor = torch.ops.lst_robust.pointwise_relu(float_channels_last(x), self.weight, self.bias)
        return out


def runs_compiled(x: Tensor) -> bool:
    """Whether the operators of inference take `x`."""
    in_graph = torch.compiler.is_compiling() or (x.requires_grad and torch.is_grad_enabled())
    return passes_take(x) and not in_graph


def can_compile(block: InferenceLSTII) -> bool:
    """Whether the block has the form that is compiled: 3x3, four filters a channel, ReLU, a multiple of 4 channels,
    stride 1 or 2, weights in float32."""
    t_s = block.t_s
    form = t_s.weight.shape == (4 * t_s.channels, 1, 3, 3) and t_s.stride in (1, 2) and t_s.channels % 4 == 0
    return form and t_s.weight.dtype is torch.float32 and type(block.relu) is nn.ReLU
