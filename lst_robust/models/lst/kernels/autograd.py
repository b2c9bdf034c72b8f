"""LST-II in training as three functions of their own: T_r and T_c; T_s with BNs, sum and ST; the shortcut with its BN.

T_s's output, four times as wide as its input, is never stored: each pass computes it again from T_c's output. That is
what makes LST-Nets slow in plain torch, where it is written and read about ten times a step. Every BN is applied while
its input is read, and its sums are taken where its input is made. The shortcut is affine in x, so that its BN needs no
pass over its output.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lst_robust.models.lst.kernels.packing import lanes, pack_pointwise, pack_spatial
from lst_robust.models.lst.transforms import SpatialTransform

_ops = torch.ops.lst_robust  # csrc/kernels.h says what each computes


class _Statistics(NamedTuple):
    """A BN over a batch: float64, (C,) each."""

    mean: Tensor
    variance: Tensor
    inverse: Tensor  # 1 / sqrt(variance + eps)
    values: int  # of a channel

    @classmethod
    def of(cls, sums: Tensor, count: int, eps: float) -> _Statistics:
        """From the sums of the values and of their squares, (2, C)."""
        mean, square = sums / count
        variance = (square - mean * mean).clamp_(min=0)
        return cls(mean, variance, (variance + eps).rsqrt(), count)

    def affine(self, gamma: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift of the BN."""
        scale = gamma * self.inverse
        return scale.float(), (beta - self.mean * scale).float()

    def backward(self, gamma: Tensor, sums: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor, Tensor]]:
        """Gradients of gamma and beta, and a, b, e with which a·g + b·x + e is that of the BN's input x.

        g: the gradient of its output; sums (2, C): those of g and g·x.
        """
        sum_g, sum_gx = sums
        dgamma = self.inverse * (sum_gx - self.mean * sum_g)
        a = gamma * self.inverse
        b = -a * self.inverse * dgamma / self.values
        e = -a * sum_g / self.values - b * self.mean
        return dgamma.float(), sum_g.float(), (a.float(), b.float(), e.float())


class _FusedHead(torch.autograd.Function):
    """v = T_c relu(BN(T_r x)) with the batch's statistics, and x itself for the shortcut; also mean and variance.

    Backward adds its gradient into the shortcut's, in place: that one comes from `_FusedTail` or the shortcut alone,
    which make it anew at each step and hand it to nobody else.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, resize: Tensor, gamma: Tensor, beta: Tensor, mix: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        y, sums = _ops.pointwise(x, _packed(resize), [])
        batch = _Statistics.of(sums, _count(y), eps)
        affine = batch.affine(gamma, beta)
        v, _ = _ops.pointwise(y, _packed(mix), affine)
        ctx.save_for_backward(x, y, resize, gamma, mix, *affine)
        ctx.batch = batch
        ctx.mark_non_differentiable(batch.mean, batch.variance)
        return v, x.view_as(x), batch.mean, batch.variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, shortcut: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, y, resize, gamma, mix, scale, shift = ctx.saved_tensors
        shortcut = shortcut.contiguous(memory_format=torch.channels_last)
        dy, dmix, sums = _ops.mix_backward(y, _last(gradient), _packed(mix.transpose(0, 1)), (scale, shift))
        dgamma, dbeta, of_y = ctx.batch.backward(gamma, sums)
        dresize = _ops.resize_backward_(shortcut, x, y, dy, _packed(resize.transpose(0, 1)), of_y)
        return shortcut, dresize.view_as(resize), dgamma, dbeta, dmix.view_as(mix), None


class _TailSettings(NamedTuple):
    """What `_FusedTail` needs besides tensors: the stride of T_s, the threshold (0: no ST), both BNs' eps."""

    stride: int
    tau: float
    inner_eps: float
    outer_eps: float


class _FusedTail(torch.autograd.Function):
    """out = ST(residual + BN(T_s ST(BN(v)))) with the batch's statistics; also both BNs' means and variances.

    v: (N, c, H, W); residual: (N, 4c, H', W'). float32, channels last.
    `parameters`, one by one as autograd does not look into containers: gamma and beta of the inner BN, (c,); T_s's
    weight as `pack_spatial` gives it; gamma and beta of the outer BN, (4c,).
    """

    @staticmethod
    def forward(
        ctx: Any, v: Tensor, residual: Tensor, settings: _TailSettings, *parameters: Tensor
    ) -> tuple[Tensor, ...]:
        inner_gamma, inner_beta, weight, gamma, beta = parameters
        stride, tau = settings.stride, settings.tau
        out = torch.empty_like(residual)
        inner = _Statistics.of(_ops.sums(v), _count(v), settings.inner_eps)
        affine = inner.affine(inner_gamma, inner_beta)
        outer = _Statistics.of(_ops.statistics(v, stride, affine, weight, tau), _count(out), settings.outer_eps)
        scale, bias = outer.affine(gamma, beta)
        folded = weight * scale.reshape(4, -1, weight.shape[-1]).transpose(0, 1)[:, None]
        _ops.tail_(v, residual, out, stride, affine, folded, bias, tau)
        ctx.save_for_backward(v, out, inner_gamma, weight, gamma, *affine)
        ctx.inner, ctx.outer, ctx.settings = inner, outer, settings
        statistics = (inner.mean, inner.variance, outer.mean, outer.variance)
        ctx.mark_non_differentiable(*statistics)
        return out, *statistics

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        v, out, inner_gamma, weight, gamma, scale, shift = ctx.saved_tensors
        affine, stride, tau = (scale, shift), ctx.settings.stride, ctx.settings.tau
        g, sums = _ops.backward_sums(v, out, _last(gradient), stride, affine, weight, tau)
        dgamma, dbeta, of_t = ctx.outer.backward(gamma, sums)
        dv, dweight, sums = _ops.backward(v, g, stride, affine, weight, of_t, tau)
        inner_dgamma, inner_dbeta, of_v = ctx.inner.backward(inner_gamma, sums)
        _ops.normalise_backward_(dv, v, of_v)
        return dv, g, None, inner_dgamma, inner_dbeta, dweight, dgamma, dbeta


class _FusedShortcut(torch.autograd.Function):
    """BN(weight · x[:, source, ::stride, ::stride]) with the batch's statistics; also those, (outputs,) each.

    With m and q the mean and variance of x's channel, the output's are weight·m and weight²·q.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, gamma: Tensor, beta: Tensor, source: Tensor, stride: int, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        n, inputs, height, width = x.shape
        count = n * ((height - 1) // stride + 1) * ((width - 1) // stride + 1)
        every = torch.arange(inputs, dtype=torch.int32)
        mean, square = _ops.shortcut_sums(x, None, stride, every)[:, source] / count
        variance = (square - mean * mean).clamp_(min=0)
        inverse = (weight * weight * variance + eps).rsqrt()
        scale = gamma * inverse * weight
        out = _ops.shortcut(x, stride, source, scale.float(), (beta - scale * mean).float())
        ctx.save_for_backward(x, weight, gamma, source, mean, variance, inverse)
        ctx.stride, ctx.count = stride, count
        out_mean, out_variance = weight * mean, weight * weight * variance
        ctx.mark_non_differentiable(out_mean, out_variance)
        return out, out_mean, out_variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, gamma, source, mean, variance, inverse = ctx.saved_tensors
        gradient = _last(gradient)
        sum_g, sum_gx = _ops.shortcut_sums(x, gradient, ctx.stride, source)
        dgamma = inverse * weight * (sum_gx - mean * sum_g)
        dweight = gamma * inverse * (sum_gx - mean * sum_g - dgamma * inverse * weight * variance)
        scale = gamma * inverse * weight
        a = -scale * dgamma * inverse * weight / ctx.count
        b = -scale * sum_g / ctx.count - a * mean
        of_x = [torch.zeros(x.shape[1], dtype=a.dtype).index_add_(0, source, part).float() for part in (a, b)]
        places = source.argsort(stable=True).int().reshape(x.shape[1], -1).T.contiguous()  # each is taken as often
        dx = _ops.shortcut_backward(x, gradient, ctx.stride, places, scale.float(), of_x)
        return dx, dweight.float(), dgamma.float(), sum_g.float(), None, None, None


def fused_shortcut(x: Tensor, weight: Tensor, bn: nn.BatchNorm2d, source: Tensor, stride: int) -> Tensor:
    """bn(weight · x[:, source, ::stride, ::stride]) in training mode; moves the running statistics of `bn`."""
    out, mean, variance = _FusedShortcut.apply(
        _last(x), weight.flatten(), bn.weight, bn.bias, source.int(), stride, bn.eps
    )
    _move_running_statistics(bn, mean, variance, _count(out))
    return out


def fused_head(x: Tensor, t_r: nn.Conv2d, bn: nn.BatchNorm2d, t_c: nn.Module) -> tuple[Tensor, Tensor]:
    """t_c(relu(bn(t_r(x)))) in training mode, and x for the shortcut, to be given to nothing else.

    Moves the running statistics of `bn`.
    """
    v, kept, mean, variance = _FusedHead.apply(_last(x), t_r.weight, bn.weight, bn.bias, t_c.weight, bn.eps)
    _move_running_statistics(bn, mean, variance, _count(v))
    return v, kept


def fused_tail(
    v: Tensor, residual: Tensor, inner: nn.BatchNorm2d, t_s: SpatialTransform, outer: nn.BatchNorm2d, tau: float
) -> Tensor:
    """ST(residual + outer(t_s(ST(inner(v))))) in training mode; moves the BNs' running statistics. tau = 0: no ST."""
    v, residual = _last(v), _last(residual)
    weight = pack_spatial(torch.cat(t_s.channel_weights()))
    parameters = (inner.weight, inner.bias, weight, outer.weight, outer.bias)
    results = _FusedTail.apply(v, residual, _TailSettings(t_s.stride, tau, inner.eps, outer.eps), *parameters)
    out, inner_mean, inner_variance, mean, variance = results
    _move_running_statistics(inner, inner_mean, inner_variance, _count(v))
    _move_running_statistics(outer, mean, variance, _count(out))
    return out


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _packed(weight: Tensor) -> Tensor:
    """A 1x1 convolution's weight for vectors that fit its outputs and its inputs."""
    return pack_pointwise(weight, lanes(math.gcd(*weight.shape[:2])))


def _count(x: Tensor) -> int:
    """Values a channel."""
    return x.numel() // x.shape[1]


@torch.no_grad()
def _move_running_statistics(bn: nn.BatchNorm2d, mean: Tensor, variance: Tensor, count: int) -> None:
    """As `nn.BatchNorm2d` does: the running variance is the unbiased one."""
    if not bn.track_running_stats:
        return
    assert bn.num_batches_tracked is not None
    assert bn.running_mean is not None
    assert bn.running_var is not None
    bn.num_batches_tracked += 1
    momentum = 1 / float(bn.num_batches_tracked) if bn.momentum is None else bn.momentum
    bn.running_mean.lerp_(mean.float(), momentum)
    bn.running_var.lerp_((variance * count / max(count - 1, 1)).float(), momentum)
