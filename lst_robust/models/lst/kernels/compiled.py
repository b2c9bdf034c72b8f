"""The backend of compiled kernels: for which blocks and inputs it stands."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from lst_robust.models.lst.backend import Backend, CompiledBlock
from lst_robust.models.lst.blocks import LSTII, GroupedShortcut
from lst_robust.models.lst.folded import InferenceLSTII
from lst_robust.models.lst.kernels.chain import train_chain
from lst_robust.models.lst.kernels.inference import CompiledChain, CompiledHandler, CompiledLSTII, can_compile
from lst_robust.models.lst.kernels.library import kernels_ready
from lst_robust.models.lst.kernels.packing import lanes, passes_take, threshold
from lst_robust.models.lst.kernels.shortcut import fused_shortcut
from lst_robust.models.lst.kernels.tail import fused_tail


class CompiledBackend(Backend):
    """Stands for LST-II on a CPU, where a compiler was found. It computes in float32, under autocast as well."""

    def train_blocks(self, blocks: Sequence[LSTII], x: Tensor) -> Tensor | None:
        """All blocks as one function, if every pass fits them."""
        fits = x.shape[1] % 8 == 0 and all(map(_chain_fits, blocks)) and _can_train_on(x) and _vectors_fit(blocks)
        return train_chain(blocks, x) if fits else None

    def train_block(self, block: LSTII, x: Tensor) -> Tensor | None:
        """The block as one function, or at least its second half."""
        if (out := self.train_blocks([block], x)) is not None:
            return out
        if not (_tail_fits(block) and _can_train_on(x)):
            return None
        v = block.t_c(block.relu(block.bn_r(block.t_r(x))))
        return fused_tail(v, block.shortcut(x), block.bn_c, block.t_s, block.bn_s, threshold(block))

    def train_shortcut(self, shortcut: GroupedShortcut, x: Tensor) -> Tensor | None:
        """The shortcut with its BN."""
        fits = shortcut.bn.training and shortcut.weight.dtype is torch.float32
        return fused_shortcut(x, shortcut) if fits and _can_train_on(x) else None

    def compiled_block(self, block: InferenceLSTII) -> CompiledBlock | None:
        """One pass for the whole block."""
        return CompiledLSTII(block) if can_compile(block) and kernels_ready() else None

    def compiled_chain(self, blocks: Sequence[InferenceLSTII]) -> CompiledBlock | None:
        """One pass for all of them, if each is compiled."""
        compiled = [block.compiled for block in blocks if isinstance(block.compiled, CompiledLSTII)]
        return CompiledChain(compiled) if compiled and len(compiled) == len(blocks) else None

    def compiled_handler(self, convolution: nn.Conv2d) -> CompiledBlock | None:
        """One pass over all pixels."""
        form = convolution.out_channels % 4 == 0 and convolution.weight.dtype is torch.float32
        return CompiledHandler(convolution) if form and kernels_ready() else None


def _can_train_on(x: Tensor) -> bool:
    """Whether the kernels are there and can work on `x`."""
    return passes_take(x) and x.numel() > 0 and not torch.compiler.is_compiling() and kernels_ready()


def _tail_fits(block: LSTII) -> bool:
    """Whether `fused_tail` has the form of T_s: 3x3, four filters a channel, a multiple of 8 channels, in float32."""
    t_s = block.t_s
    form = t_s.filters == 4 and t_s.weight.shape[-1] == 3 and t_s.channels % 8 == 0
    return form and t_s.weight.dtype is torch.float32 and block.bn_c.training and block.bn_s.training


def _chain_fits(block: LSTII) -> bool:
    """Whether `train_chain` has the form of the block, besides that of T_s: ReLU and a full T_c."""
    form = isinstance(block.relu, nn.ReLU) and isinstance(block.t_c, nn.Conv2d)
    training = not isinstance(block.shortcut, GroupedShortcut) or block.shortcut.bn.training
    return _tail_fits(block) and form and block.bn_r.training and training


def _vectors_fit(blocks: Sequence[LSTII]) -> bool:
    """Whether one pass can have each block's T_s and the next one's T_r."""
    channels = [block.t_s.channels for block in blocks]
    return all(behind % lanes(before) == 0 for before, behind in pairwise(channels))
