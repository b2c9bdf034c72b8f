"""The backend of compiled kernels: for which blocks and inputs it stands.

It answers for what it knows to be right, and leaves everything else to the plain layers, with torch's own errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from lst_robust.models.lst.backend import Backend, CompiledBlock
from lst_robust.models.lst.blocks import LSTII, GroupedShortcut
from lst_robust.models.lst.folded import InferenceLSTII
from lst_robust.models.lst.form import (
    has_hooks,
    hooks_everywhere,
    in_float32,
    is_batch_norm,
    is_pointwise,
    is_shortcut,
    is_spatial,
    is_threshold,
)
from lst_robust.models.lst.kernels.chain import train_chain
from lst_robust.models.lst.kernels.inference import (
    CompiledChain,
    CompiledHandler,
    CompiledLSTII,
    can_compile,
    can_compile_handler,
)
from lst_robust.models.lst.kernels.library import kernels_ready
from lst_robust.models.lst.kernels.packing import in_transform, lanes, passes_take, threshold
from lst_robust.models.lst.kernels.shortcut import fused_shortcut
from lst_robust.models.lst.kernels.tail import fused_tail


class CompiledBackend(Backend):
    """Stands for LST-II on a CPU, where a compiler was found. It computes in float32, under autocast as well."""

    def train_blocks(self, blocks: Sequence[LSTII], x: Tensor) -> Tensor | None:
        """All blocks as one function, if every pass fits them. Nobody may look at one of the blocks by a hook."""
        if not (_may_train_on(x) and _chain_fits(blocks, x.shape[1])):
            return None
        fits = _can_train_on(x, [block.t_s.stride for block in blocks]) and _vectors_fit(blocks)
        return train_chain(blocks, x) if fits else None

    def train_block(self, block: LSTII, x: Tensor) -> Tensor | None:
        """The block as one function, or at least its second half."""
        if (out := self.train_blocks([block], x)) is not None:
            return out
        if not (_may_train_on(x) and _tail_fits(block) and _can_train_on(x, [block.t_s.stride])):
            return None
        v = block.t_c(block.relu(block.bn_r(block.t_r(x))))
        residual = block.shortcut(x)
        if _tail_takes(block, v, residual):
            return fused_tail(v, residual, block.bn_c, block.t_s, block.bn_s, threshold(block))
        z = block.threshold(block.bn_c(v))  # bn_r has moved its statistics, so the plain layers go on from here
        out = block.threshold(block.bn_s(block.t_s(z)) + residual)
        return out

    def train_shortcut(self, shortcut: GroupedShortcut, x: Tensor) -> Tensor | None:
        """The shortcut with its BN."""
        if not (_may_train_on(x) and _shortcut_fits(shortcut, x.shape[1])):
            return None
        return fused_shortcut(x, shortcut) if _can_train_on(x, [shortcut.stride]) else None

    def compiled_block(self, block: InferenceLSTII) -> CompiledBlock | None:
        """One pass for the whole block."""
        return CompiledLSTII(block) if can_compile(block) and kernels_ready() else None

    def compiled_chain(self, blocks: Sequence[InferenceLSTII]) -> CompiledBlock | None:
        """One pass for all of them, if each is compiled and takes what the one before gives."""
        compiled = [block.compiled for block in blocks if isinstance(block.compiled, CompiledLSTII)]
        fit = all(behind.inputs == before.outputs for before, behind in pairwise(compiled))
        return CompiledChain(compiled) if compiled and len(compiled) == len(blocks) and fit else None

    def compiled_handler(self, convolution: nn.Conv2d) -> CompiledBlock | None:
        """One pass over all pixels."""
        return CompiledHandler(convolution) if can_compile_handler(convolution) and kernels_ready() else None


def _may_train_on(x: Tensor) -> bool:
    """Whether `x` is what the passes take, and nothing goes on that they do not know."""
    unknown = torch.compiler.is_compiling() or in_transform() or hooks_everywhere()
    return not unknown and passes_take(x)


def _can_train_on(x: Tensor, strides: Iterable[int]) -> bool:
    """Whether the kernels are there, and a BN behind layers of these strides has more than the one value a channel with
    which torch refuses it."""
    height, width = x.shape[2:]
    for stride in strides:
        height, width = (height - 1) // stride + 1, (width - 1) // stride + 1
    return x.shape[0] * height * width > 1 and kernels_ready()


def _tail_fits(block: LSTII) -> bool:
    """Whether `fused_tail` has the form of the block from T_c's BN on: 3x3, four filters a channel, a multiple of 8
    channels, in float32, and no hooks on its layers."""
    layers = block._modules
    t_s, bn_c, bn_s, threshold = layers["t_s"], layers["bn_c"], layers["bn_s"], layers["threshold"]
    if not (is_spatial(t_s) and t_s.filters == 4 and t_s.padding == 1 and t_s.stride in (1, 2)):
        return False
    c = t_s.channels
    form = is_batch_norm(bn_c, c) and is_batch_norm(bn_s, 4 * c) and c % 8 == 0 and is_threshold(threshold)
    return form and _trains(bn_c) and _trains(bn_s) and _trains(t_s) and _trains(threshold)


def _tail_takes(block: LSTII, v: Tensor, residual: Tensor) -> bool:
    """Whether `fused_tail` can work on what the layers before have made, whatever these are."""
    if not (passes_take(v) and passes_take(residual) and v.shape[1] == block.t_s.channels):
        return False
    size = [(length - 1) // block.t_s.stride + 1 for length in v.shape[2:]]
    several = v.shape[0] * size[0] * size[1] > 1
    return several and residual.shape == (v.shape[0], 4 * v.shape[1], *size)


def _chain_fits(blocks: Sequence[LSTII], inputs: int) -> bool:
    """Whether `train_chain` has the form of the blocks: that of `fused_tail`, ReLU and a full T_c. Each must take what
    the one before gives."""
    for block in blocks:
        if inputs % 8 or not _tail_fits(block):
            return False
        layers, t_s = block._modules, block.t_s
        c, shortcut = t_s.channels, layers["shortcut"]
        t_r, bn_r, relu, t_c = layers["t_r"], layers["bn_r"], layers["relu"], layers["t_c"]
        form = is_pointwise(t_r, inputs, c) and is_batch_norm(bn_r, c) and is_pointwise(t_c, c, c)
        if not (form and type(relu) is nn.ReLU and is_shortcut(shortcut, inputs, 4 * c, t_s.stride)):
            return False
        if not (_trains(t_r) and _trains(bn_r) and _trains(relu) and _trains(t_c) and _trains(shortcut)):
            return False
        if type(shortcut) is GroupedShortcut and not _shortcut_fits(shortcut, inputs):
            return False
        inputs = 4 * c
    return len(blocks) > 0


def _shortcut_fits(shortcut: GroupedShortcut, inputs: int) -> bool:
    """Whether `fused_shortcut` has the form of the shortcut: its own hooks are called by others."""
    form = is_shortcut(shortcut, inputs, len(shortcut.source), shortcut.stride) and shortcut.stride in (1, 2)
    return form and in_float32(shortcut) and _trains(shortcut.bn) and int(shortcut.source.max()) < inputs


def _trains(layer: nn.Module | None) -> bool:
    """Whether a layer is in float32 and, if it is a BN, in training mode, and nobody looks at it by a hook."""
    if layer is None or has_hooks(layer) or not in_float32(layer):
        return False
    return layer.training or type(layer) is not nn.BatchNorm2d


def _vectors_fit(blocks: Sequence[LSTII]) -> bool:
    """Whether one pass can have each block's T_s and the next one's T_r."""
    channels = [block.t_s.channels for block in blocks]
    return all(behind % lanes(before) == 0 for before, behind in pairwise(channels))
