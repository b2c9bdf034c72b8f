"""The second half of LST-II in training as one function of autograd: for blocks whose first half `chain` does not take.

T_s's output, four times as wide as its input, is never stored: each pass computes it again from T_c's output. That is
what makes LST-Nets slow in plain torch, where it is written and read about ten times a step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lst_robust.models.lst.kernels.batch_norm import normalise, values_a_channel
from lst_robust.models.lst.kernels.packing import float_channels_last, pack_spatial
from lst_robust.models.lst.transforms import SpatialTransform

_ops = torch.ops.lst_robust  # csrc/kernels.h says what each computes


class _TailSettings(NamedTuple):
    """What `_FusedTail` needs besides tensors: the stride of T_s, the threshold (0: no ST), both BNs."""

    stride: int
    tau: float
    inner: nn.BatchNorm2d
    outer: nn.BatchNorm2d


class _FusedTail(torch.autograd.Function):
    """out = ST(residual + BN(T_s ST(BN(v)))) with the batch's statistics; moves the BNs' running statistics.

    v: (N, c, H, W); residual: (N, 4c, H', W'). float32, channels last.
    `parameters`, one by one as autograd does not look into containers: gamma and beta of the inner BN, (c,); T_s's
    weight as `pack_spatial` gives it; gamma and beta of the outer BN, (4c,).
    """

    @staticmethod
    def forward(ctx: Any, v: Tensor, residual: Tensor, settings: _TailSettings, *parameters: Tensor) -> Tensor:
        inner_gamma, inner_beta, weight, gamma, beta = parameters
        stride, tau = settings.stride, settings.tau
        out = torch.empty_like(residual)
        ctx.inner, affine = normalise(settings.inner, inner_gamma, inner_beta, _ops.sums(v), values_a_channel(v))
        sums = _ops.statistics(v, stride, affine, weight, tau)
        ctx.outer, (scale, bias) = normalise(settings.outer, gamma, beta, sums, values_a_channel(out))
        folded = _ops.scale_filters(weight, scale)
        _ops.tail_(v, residual, out, stride, affine, folded, bias, tau)
        ctx.save_for_backward(v, out, inner_gamma, weight, gamma, *affine)
        ctx.settings = settings
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        v, out, inner_gamma, weight, gamma, scale, shift = ctx.saved_tensors
        affine, stride, tau = (scale, shift), ctx.settings.stride, ctx.settings.tau
        g, sums = _ops.backward_sums(v, out, float_channels_last(gradient), stride, affine, weight, tau)
        dgamma, dbeta, of_t = ctx.outer.backward(gamma, sums)
        dv, dweight, sums = _ops.backward(v, g, stride, affine, weight, of_t, tau)
        inner_dgamma, inner_dbeta, of_v = ctx.inner.backward(inner_gamma, sums)
        _ops.normalise_backward_(dv, v, of_v)
        return dv, g, None, inner_dgamma, inner_dbeta, dweight, dgamma, dbeta


def fused_tail(
    v: Tensor, residual: Tensor, inner: nn.BatchNorm2d, t_s: SpatialTransform, outer: nn.BatchNorm2d, tau: float
) -> Tensor:
    """ST(residual + outer(t_s(ST(inner(v))))) in training mode; moves the BNs' running statistics. tau = 0: no ST."""
    v, residual = float_channels_last(v), float_channels_last(residual)
    weight = pack_spatial(torch.cat(t_s.channel_weights()))
    parameters = (inner.weight, inner.bias, weight, outer.weight, outer.bias)
    out: Tensor = _FusedTail.apply(v, residual, _TailSettings(t_s.stride, tau, inner, outer), *parameters)
    return out
