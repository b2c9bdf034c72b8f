"""The backend of compiled kernels: for which blocks and inputs it stands."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lst_robust.models.lst.backend import Backend, CompiledBlock
from lst_robust.models.lst.blocks import LSTII, GroupedShortcut
from lst_robust.models.lst.folded import InferenceLSTII
from lst_robust.models.lst.kernels.autograd import fused_head, fused_shortcut, fused_tail
from lst_robust.models.lst.kernels.inference import CompiledChain, CompiledHandler, CompiledLSTII, can_compile
from lst_robust.models.lst.kernels.library import kernels_ready
from lst_robust.models.lst.transforms import SoftThreshold, SpatialTransform


class CompiledBackend(Backend):
    """Stands for LST-II on a CPU in float32, where a compiler was found."""

    def train_block(self, block: LSTII, x: Tensor) -> Tensor | None:
        """The block in two passes: T_r and T_c, if they fit, then the rest."""
        if not (block.bn_c.training and block.bn_s.training and _tail_fits(block.t_s) and _can_train_on(x)):
            return None
        if block.bn_r.training and _head_fits(block, x):
            v, x = fused_head(x, block.t_r, block.bn_r, block.t_c)
        else:
            v = block.t_c(block.relu(block.bn_r(block.t_r(x))))
        tau = block.threshold.tau if isinstance(block.threshold, SoftThreshold) else 0.0
        return fused_tail(v, block.shortcut(x), block.bn_c, block.t_s, block.bn_s, tau)

    def train_shortcut(self, shortcut: GroupedShortcut, x: Tensor) -> Tensor | None:
        """The shortcut with its BN."""
        if not (shortcut.bn.training and _can_train_on(x)):
            return None
        return fused_shortcut(x, shortcut.weight, shortcut.bn, shortcut.source, shortcut.stride)

    def compiled_block(self, block: InferenceLSTII) -> CompiledBlock | None:
        """One pass for the whole block."""
        return CompiledLSTII(block) if can_compile(block) and kernels_ready() else None

    def compiled_chain(self, blocks: Sequence[InferenceLSTII]) -> CompiledBlock | None:
        """One pass for all of them, if each is compiled."""
        compiled = [block.compiled for block in blocks if isinstance(block.compiled, CompiledLSTII)]
        return CompiledChain(compiled) if compiled and len(compiled) == len(blocks) else None

    def compiled_handler(self, convolution: nn.Conv2d) -> CompiledBlock | None:
        """One pass over all pixels."""
        return CompiledHandler(convolution) if convolution.out_channels % 4 == 0 and kernels_ready() else None


def _can_train_on(x: Tensor) -> bool:
    """Whether the kernels are there and can work on `x`."""
    on_cpu = x.device.type == "cpu" and x.dtype is torch.float32 and x.numel() > 0
    plain = torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling()
    return on_cpu and not plain and kernels_ready()


def _tail_fits(t_s: SpatialTransform) -> bool:
    """Whether `fused_tail` has the form of T_s: 3x3, four filters a channel, a multiple of 8 channels."""
    return t_s.filters == 4 and t_s.weight.shape[-1] == 3 and t_s.channels % 8 == 0


def _head_fits(block: LSTII, x: Tensor) -> bool:
    """Whether `fused_head` can, where `fused_tail` does: ReLU, a full T_c and a multiple of 8 channels."""
    return isinstance(block.relu, nn.ReLU) and isinstance(block.t_c, nn.Conv2d) and x.shape[1] % 8 == 0
