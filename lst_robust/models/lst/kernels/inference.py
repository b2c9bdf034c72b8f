"""LST-II for inference in one compiled pass over each image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lst_robust.models.lst.folded import FoldedShortcut, InferenceLSTII
from lst_robust.models.lst.kernels.packing import pack_pointwise, pack_spatial
from lst_robust.models.lst.transforms import SoftThreshold


class CompiledLSTII:
    """A folded bottleneck with its weights packed. It works on float32 on the CPU, channels last.

    An identity shortcut is overwritten by the output: input and output share their memory. This is safe in a network
    where nobody else holds a block's input.
    """

    def __init__(self, block: InferenceLSTII) -> None:
        self.t_r, self.t_c, self.t_s, self.shortcut = block.t_r, block.t_c, block.t_s, block.shortcut
        self.tau = block.threshold.tau if isinstance(block.threshold, SoftThreshold) else 0.0
        self.filters = pack_spatial(self.t_s.weight)
        self.whole = self.t_c.groups == 1  # a diagonal T_c is left to torch, with T_r
        if self.whole:
            pointwise = [t for layer in (self.t_r, self.t_c) for t in (pack_pointwise(layer.weight), layer.bias)]
            self.weights = [*pointwise, self.filters, self.t_s.bias]

    def takes(self, x: Tensor) -> bool:
        """Whether this can stand for the block: it has no gradient."""
        in_graph = torch.compiler.is_compiling() or (x.requires_grad and torch.is_grad_enabled())
        return x.device.type == "cpu" and x.dtype is torch.float32 and not in_graph

    def __call__(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, 4·planes, H', W')."""
        x = x.contiguous(memory_format=torch.channels_last)
        stride = self.t_s.stride
        if self.whole:
            out = self._residual(x)
            torch.ops.lst_robust.block_(x, out, stride, self.weights, self.tau)
        else:
            v = self.t_c(F.relu_(self.t_r(x))).contiguous(memory_format=torch.channels_last)
            out = self._residual(x)
            torch.ops.lst_robust.tail_(v, out, out, stride, [], self.filters, self.t_s.bias, self.tau)
        return out

    def _residual(self, x: Tensor) -> Tensor:
        return x if self.shortcut is None else compiled_shortcut(self.shortcut, x)


def can_compile(block: InferenceLSTII) -> bool:
    """Whether the block has the form that is compiled: 3x3, four filters a channel, ReLU, a multiple of 8 channels."""
    planes = block.t_s.channels
    return type(block.relu) is nn.ReLU and block.t_s.weight.shape == (4 * planes, 1, 3, 3) and planes % 8 == 0


def compiled_shortcut(shortcut: FoldedShortcut, x: Tensor) -> Tensor:
    """`shortcut` of float32 on the CPU, channels last."""
    out: Tensor = torch.ops.lst_robust.shortcut(x, shortcut.stride, shortcut.source, shortcut.scale, shortcut.shift)
    return out
