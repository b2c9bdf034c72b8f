"""LST-II bottlenecks one behind the other in training, as one function of autograd.

Wide activations (4c channels) come from beyond the caches, so each pass does all that it can with a piece of one while
it is at hand. Forward, a block's last pass computes the next block's T_r as well. Backward, one pass adds what T_r
hands back to the gradient of a block's input, which is the output of the block before, applies the ST of that block,
and takes the sums that its BN needs. There is one wide gradient, which is changed in place from block to block.

T_s's output is never stored: each pass computes it again from T_c's output v. Every BN is applied while its input is
read, and its sums are taken where its input is made. docs/lst-kernels.md counts the bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lst_robust.models.lst.blocks import LSTII, GroupedShortcut
from lst_robust.models.lst.kernels.batch_norm import BatchStatistics, normalise, values_a_channel
from lst_robust.models.lst.kernels.packing import float_channels_last, lanes, pack_pointwise, pack_spatial, threshold
from lst_robust.models.lst.kernels.shortcut import KeptShortcut, shortcut_backward, shortcut_forward

_ops = torch.ops.lst_robust  # csrc/kernels.h says what each computes


class _Parameters(NamedTuple):
    """What a block learns; T_s's filters as `pack_spatial` gives them."""

    resize: Tensor
    gamma_r: Tensor
    beta_r: Tensor
    mix: Tensor
    gamma_c: Tensor
    beta_c: Tensor
    filters: Tensor
    gamma_s: Tensor
    beta_s: Tensor
    shortcut: Tensor | None = None  # these only where there is a `GroupedShortcut`
    shortcut_gamma: Tensor | None = None
    shortcut_beta: Tensor | None = None

    @classmethod
    def of(cls, block: LSTII) -> _Parameters:
        r, c, s = block.bn_r, block.bn_c, block.bn_s
        filters = pack_spatial(torch.cat(block.t_s.channel_weights()))
        d = block.shortcut
        grouped = (d.weight.flatten(), d.bn.weight, d.bn.bias) if isinstance(d, GroupedShortcut) else ()
        mix: Tensor = block.t_c.weight  # type: ignore[assignment]
        return cls(block.t_r.weight, r.weight, r.bias, mix, c.weight, c.bias, filters, s.weight, s.bias, *grouped)


class _Step(NamedTuple):
    """What a block's forward keeps for its backward, all tensors. scale and shift: the BNs behind T_r and T_c."""

    x: Tensor
    y: Tensor  # T_r x
    v: Tensor  # T_c relu(BN(y))
    scale_r: Tensor
    shift_r: Tensor
    scale_c: Tensor
    shift_c: Tensor


class _Kept(NamedTuple):
    """The rest that is kept: the batch's statistics of the BNs, and what the shortcut's backward wants."""

    r: BatchStatistics
    c: BatchStatistics
    s: BatchStatistics
    shortcut: KeptShortcut | None


def train_chain(blocks: Sequence[LSTII], x: Tensor) -> Tensor:
    """The blocks' output in training mode, (N, C, H, W) -> (N, 4·planes, H', W') of the last block, float32 in channels
    last. It moves the BNs' running statistics. It has no second derivatives."""
    parameters = [_Parameters.of(block) for block in blocks]
    flat = [tensor for block in parameters for tensor in block if tensor is not None]
    out: Tensor = _Chain.apply(float_channels_last(x), blocks, *flat)
    return out


class _Chain(torch.autograd.Function):
    """`train_chain` of blocks whose parameters are given one by one, as autograd does not look into containers."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, blocks: Sequence[LSTII], *flat: Tensor) -> Tensor:
        parameters = _by_block(blocks, flat)
        steps, kept = [], []
        y, sums = _ops.pointwise(x, _pack_resize(parameters[0], None), [])
        for i, block in enumerate(blocks):
            behind = parameters[i + 1] if i + 1 < len(blocks) else None
            step, keep, x, following = _forward(block, parameters[i], behind, x, y, sums)
            y, sums = following or (y, sums)
            steps.append(step)
            kept.append(keep)
        ctx.save_for_backward(*flat, *(tensor for step in steps for tensor in step), x)
        ctx.blocks, ctx.kept, ctx.parameters = blocks, kept, len(flat)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        blocks, kept = ctx.blocks, ctx.kept
        flat, saved = ctx.saved_tensors[: ctx.parameters], ctx.saved_tensors[ctx.parameters :]
        parameters, size = _by_block(blocks, flat), len(_Step._fields)
        steps = [_Step(*saved[i * size : (i + 1) * size]) for i in range(len(blocks))]
        gradients: list[Tensor | None] = []
        g, sums = _ops.backward_sums(
            steps[-1].v, saved[-1], float_channels_last(gradient), *_spatial(blocks[-1], parameters[-1], steps[-1])
        )
        for i in reversed(range(len(blocks))):
            before = (blocks[i - 1], parameters[i - 1], steps[i - 1]) if i else None
            g, sums, of_block = _backward(blocks[i], parameters[i], steps[i], kept[i], before, g, sums)
            gradients = [*of_block, *gradients]
        return g, None, *gradients


def _forward(
    block: LSTII, p: _Parameters, behind: _Parameters | None, x: Tensor, y: Tensor, sums: Tensor
) -> tuple[_Step, _Kept, Tensor, tuple[Tensor, Tensor] | None]:
    """From y = T_r x and its sums: what is kept, the block's output, and the next block's y and sums."""
    stride, tau = block.t_s.stride, threshold(block)
    r, affine_r = normalise(block.bn_r, p.gamma_r, p.beta_r, sums, values_a_channel(y))
    v, sums = _ops.pointwise(y, pack_pointwise(p.mix), affine_r)
    c, affine_c = normalise(block.bn_c, p.gamma_c, p.beta_c, sums, values_a_channel(v))
    residual, shortcut = x, None
    if p.shortcut is not None:
        assert p.shortcut_gamma is not None
        assert p.shortcut_beta is not None
        d: GroupedShortcut = block.shortcut  # type: ignore[assignment]
        residual, shortcut = shortcut_forward(x, d, p.shortcut, p.shortcut_gamma, p.shortcut_beta)
    out = torch.empty_like(residual) if residual is x else residual
    sums = _ops.statistics(v, stride, affine_c, p.filters, tau)
    s, (scale, bias) = normalise(block.bn_s, p.gamma_s, p.beta_s, sums, values_a_channel(out))
    folded = _ops.scale_filters(p.filters, scale)
    arguments = (v, residual, out, stride, affine_c, folded, bias, tau)
    following = None
    if behind:
        following = _ops.tail_resize_(*arguments, _pack_resize(behind, p))
    else:
        _ops.tail_(*arguments)
    return _Step(x, y, v, *affine_r, *affine_c), _Kept(r, c, s, shortcut), out, following


def _backward(
    block: LSTII,
    p: _Parameters,
    step: _Step,
    kept: _Kept,
    before: tuple[LSTII, _Parameters, _Step] | None,
    g: Tensor,
    sums: Tensor,
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """From g, the gradient of the residual sum, and the sums of g and g·t: those of the block before, and the
    parameters' gradients. Of the first block: the gradient of x, and sums that mean nothing.
    """
    affine_r = (step.scale_r, step.shift_r)
    gamma_s, beta_s, of_t = kept.s.backward(p.gamma_s, sums)
    stride, affine_c, filters, tau = _spatial(block, p, step)
    dz, dfilters, sums = _ops.backward(step.v, g, stride, affine_c, filters, of_t, tau)
    gamma_c, beta_c, of_v = kept.c.backward(p.gamma_c, sums)
    transposed = pack_pointwise(p.mix, transposed=True)
    dy, mix, sums = _ops.mix_backward(step.y, step.v, dz, transposed, affine_r, of_v)
    gamma_r, beta_r, of_y = kept.r.backward(p.gamma_r, sums)
    of_shortcut: list[Tensor] = []
    if kept.shortcut is not None:
        g, *of_shortcut = shortcut_backward(step.x, g, kept.shortcut)
    transposed = _pack_resize(p, before[1] if before else None, transposed=True)
    if before:
        arguments = (before[2].v, step.x, *_spatial(*before))
        resize, sums = _ops.resize_backward_sums_(g, step.y, dy, transposed, of_y, *arguments)
    else:
        resize = _ops.resize_backward_(g, step.x, step.y, dy, transposed, of_y)
    of_head = [resize.view_as(p.resize), gamma_r, beta_r, mix.view_as(p.mix), gamma_c, beta_c]
    return g, sums, [*of_head, dfilters, gamma_s, beta_s, *of_shortcut]


def _spatial(block: LSTII, p: _Parameters, step: _Step) -> tuple[int, tuple[Tensor, Tensor], Tensor, float]:
    """What every pass with T_s wants: its stride, the BN before it, its filters and the threshold."""
    return block.t_s.stride, (step.scale_c, step.shift_c), p.filters, threshold(block)


def _pack_resize(p: _Parameters, before: _Parameters | None, *, transposed: bool = False) -> Tensor:
    """T_r's weight, for the vectors of the block before's T_s if there is one, as both are in one pass."""
    width = before.filters.shape[-1] if before else lanes(_common(p.resize))
    return pack_pointwise(p.resize, width, transposed=transposed)


def _common(weight: Tensor) -> int:
    """A number of channels whose vectors fit a 1x1 convolution's outputs and its inputs."""
    return math.gcd(*weight.shape[:2])


def _by_block(blocks: Sequence[LSTII], flat: Sequence[Tensor]) -> list[_Parameters]:
    """The parameters of each block."""
    result, start = [], 0
    for block in blocks:
        absent = 0 if isinstance(block.shortcut, GroupedShortcut) else len(_Parameters._field_defaults)
        end = start + len(_Parameters._fields) - absent
        result.append(_Parameters(*flat[start:end]))
        start = end
    return result
