"""Parts of LST-II in training as functions of their own: T_s with BN, sum and ST; the shortcut with its BN.

T_s's output, four times as wide as its input, is never stored: each pass computes it again from z. That is what makes
LST-Nets slow in plain torch, where it is written and read about ten times a step. The shortcut is affine in x, so that
its BN needs no pass over its output.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lst_robust.models.lst import building, fused
from lst_robust.models.lst.transforms import SpatialTransform


class _FusedTail(torch.autograd.Function):
    """out = ST(residual + BN(T_s ST(v))) with the batch's statistics; also the batch's mean and variance, (4c,) each.

    v: (N, c, H, W); residual: (N, 4c, H', W'); weight: as `fused.pack_spatial` gives it; gamma, beta: (4c,). float32,
    channels last.
    """

    @staticmethod
    def forward(
        ctx: Any,
        v: Tensor,
        residual: Tensor,
        weight: Tensor,
        gamma: Tensor,
        beta: Tensor,
        stride: int,
        tau: float,
        eps: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        z = torch.nn.functional.softshrink(v, tau) if tau else v
        out = torch.empty_like(residual)
        count = residual.numel() // residual.shape[1]
        mean, square = fused.statistics(z, stride, weight) / count
        variance = (square - mean * mean).clamp_(min=0)
        inverse = (variance + eps).rsqrt()
        scale = gamma * inverse
        folded = weight * scale.float().reshape(4, -1, weight.shape[-1]).transpose(0, 1)[:, None]
        fused.tail(z, residual, out, stride, folded, (beta - mean * scale).float(), (0.0, tau))
        ctx.save_for_backward(z, out, weight, gamma, mean, inverse)
        ctx.stride, ctx.tau, ctx.count = stride, tau, count
        ctx.mark_non_differentiable(mean, variance)
        return out, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        z, out, weight, gamma, mean, inverse = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        g, (sum_g, sum_gt) = fused.backward_sums(z, out, gradient, ctx.stride, weight, ctx.tau)
        dgamma = inverse * (sum_gt - mean * sum_g)
        a = gamma * inverse
        b = -a * inverse * dgamma / ctx.count
        e = -a * sum_g / ctx.count - b * mean
        affine = (a.float(), b.float(), e.float())
        dv, dweight = fused.backward(z, g, ctx.stride, weight, affine, ctx.tau)
        return dv, g, dweight, dgamma.float(), sum_g.float(), None, None, None


class _ResizeAndKeep(torch.autograd.Function):
    """T_r x, and x itself for the identity shortcut: backward adds T_r's gradient into the shortcut's, in place.

    That gradient comes from `_FusedTail` alone, which makes it anew at each step and hands it to nobody else.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, weight)
        return torch.nn.functional.conv2d(x, weight), x.view_as(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, shortcut: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        dy = pixels(gradient.contiguous(memory_format=torch.channels_last))
        dweight = (dy.T @ pixels(x)).view_as(weight)
        pixels(shortcut).addmm_(dy, weight.flatten(1))
        return shortcut, dweight


def pixels(x: Tensor) -> Tensor:
    """(N, C, H, W) channels last as the matrix (N·H·W, C), without copying."""
    return x.permute(0, 2, 3, 1).view(-1, x.shape[1])


class _FusedShortcut(torch.autograd.Function):
    """BN(weight · x[:, source, ::stride, ::stride]) with the batch's statistics; also those, (outputs,) each.

    With m and q the mean and variance of x's channel, the output's are weight·m and weight²·q.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, gamma: Tensor, beta: Tensor, source: Tensor, stride: int, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        n, inputs, height, width = x.shape
        size = (n, len(source), (height - 1) // stride + 1, (width - 1) // stride + 1)
        out = torch.empty(size, memory_format=torch.channels_last)
        count = out.numel() // len(source)
        every = torch.arange(inputs, dtype=torch.int32)
        mean, square = fused.shortcut_sums(x, None, stride, every)[:, source] / count
        variance = (square - mean * mean).clamp_(min=0)
        inverse = (weight * weight * variance + eps).rsqrt()
        scale = gamma * inverse * weight
        fused.shortcut(x, out, stride, source, scale.float(), (beta - scale * mean).float())
        ctx.save_for_backward(x, weight, gamma, source, mean, variance, inverse)
        ctx.stride, ctx.count = stride, count
        out_mean, out_variance = weight * mean, weight * weight * variance
        ctx.mark_non_differentiable(out_mean, out_variance)
        return out, out_mean, out_variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, gamma, source, mean, variance, inverse = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        sum_g, sum_gx = fused.shortcut_sums(x, gradient, ctx.stride, source)
        dgamma = inverse * weight * (sum_gx - mean * sum_g)
        dweight = gamma * inverse * (sum_gx - mean * sum_g - dgamma * inverse * weight * variance)
        scale = gamma * inverse * weight
        a = -scale * dgamma * inverse * weight / ctx.count
        b = -scale * sum_g / ctx.count - a * mean
        affine = [torch.zeros(x.shape[1], dtype=a.dtype).index_add_(0, source, part).float() for part in (a, b)]
        dx = fused.shortcut_backward(x, gradient, ctx.stride, source, scale.float(), (affine[0], affine[1]))
        return dx, dweight.float(), dgamma.float(), sum_g.float(), None, None, None


def resize_and_keep(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """T_r x, and x to be given to `fused_tail` as the residual and to nothing else."""
    return _ResizeAndKeep.apply(x.contiguous(memory_format=torch.channels_last), weight)


def fused_shortcut(x: Tensor, weight: Tensor, bn: nn.BatchNorm2d, source: Tensor, stride: int) -> Tensor:
    """bn(weight · x[:, source, ::stride, ::stride]) in training mode; moves the running statistics of `bn`."""
    x = x.contiguous(memory_format=torch.channels_last)
    out, mean, variance = _FusedShortcut.apply(x, weight.flatten(), bn.weight, bn.bias, source.int(), stride, bn.eps)
    if bn.track_running_stats:
        _move_running_statistics(bn, mean, variance, out.numel() // out.shape[1])
    return out


def kernel_takes(x: Tensor) -> bool:
    """Whether the compiled functions are there and can work on `x`."""
    on_cpu = x.device.type == "cpu" and x.dtype is torch.float32 and x.numel() > 0
    plain = torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling()
    return on_cpu and not plain and building.library() is not None


def can_fuse(x: Tensor, t_s: SpatialTransform) -> bool:
    """Whether `fused_tail` can stand for torch: 3x3, four filters a channel, a multiple of 8 channels."""
    return kernel_takes(x) and t_s.filters == 4 and t_s.weight.shape[-1] == 3 and t_s.channels % 8 == 0


def fused_tail(v: Tensor, residual: Tensor, t_s: SpatialTransform, bn: nn.BatchNorm2d, tau: float) -> Tensor:
    """ST(residual + bn(t_s(ST(v)))) in training mode; moves the running statistics of `bn`. tau = 0: no ST."""
    v = v.contiguous(memory_format=torch.channels_last)
    residual = residual.contiguous(memory_format=torch.channels_last)
    weight = fused.pack_spatial(torch.cat(t_s.channel_weights()))
    out, mean, variance = _FusedTail.apply(v, residual, weight, bn.weight, bn.bias, t_s.stride, tau, bn.eps)
    if bn.track_running_stats:
        _move_running_statistics(bn, mean, variance, out.numel() // out.shape[1])
    return out


@torch.no_grad()
def _move_running_statistics(bn: nn.BatchNorm2d, mean: Tensor, variance: Tensor, count: int) -> None:
    """As `nn.BatchNorm2d` does: the running variance is the unbiased one."""
    assert bn.num_batches_tracked is not None
    assert bn.running_mean is not None
    assert bn.running_var is not None
    bn.num_batches_tracked += 1
    momentum = 1 / float(bn.num_batches_tracked) if bn.momentum is None else bn.momentum
    bn.running_mean.lerp_(mean.float(), momentum)
    bn.running_var.lerp_((variance * count / max(count - 1, 1)).float(), momentum)
