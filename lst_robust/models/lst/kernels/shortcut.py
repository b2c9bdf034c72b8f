"""LST-II's shortcut with its BN in training. It is affine in x, so that its BN needs no pass over its output."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lst_robust.models.lst.blocks import GroupedShortcut
from lst_robust.models.lst.kernels.batch_norm import move_running_statistics
from lst_robust.models.lst.kernels.packing import float_channels_last

_ops = torch.ops.lst_robust  # csrc/kernels.h says what each computes


class KeptShortcut(NamedTuple):
    """What `shortcut_forward` keeps for `shortcut_backward`."""

    weight: Tensor
    gamma: Tensor
    source: Tensor
    mean: Tensor  # these of x's channel, float64, (outputs,)
    variance: Tensor
    inverse: Tensor  # 1 / sqrt(variance of the product + eps)
    stride: int
    values: int  # of a channel of the output


def shortcut_forward(
    x: Tensor, shortcut: GroupedShortcut, weight: Tensor, gamma: Tensor, beta: Tensor
) -> tuple[Tensor, KeptShortcut]:
    """BN(weight · x[:, source, ::stride, ::stride]) with the batch's statistics; moves the running ones.

    With m and q the mean and variance of x's channel, the output's are weight·m and weight²·q.
    """
    stride, source = shortcut.stride, shortcut.source.int()
    n, inputs, height, width = x.shape
    count = n * ((height - 1) // stride + 1) * ((width - 1) // stride + 1)
    every = torch.arange(inputs, dtype=torch.int32, device=x.device)
    mean, square = _ops.shortcut_sums(x, None, stride, every)[:, source] / count
    variance = (square - mean * mean).clamp_(min=0)
    of_product = weight * weight * variance
    inverse = (of_product + shortcut.bn.eps).rsqrt()
    scale = gamma * inverse * weight
    out: Tensor = _ops.shortcut(x, stride, source, scale.float(), (beta - scale * mean).float())
    move_running_statistics(shortcut.bn, torch.stack([weight * mean, of_product]), count)
    return out, KeptShortcut(weight, gamma, source, mean, variance, inverse, stride, count)


def shortcut_backward(x: Tensor, gradient: Tensor, kept: KeptShortcut) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradients of x, weight, gamma and beta, from that of the output in channels last."""
    weight, gamma, source, mean, variance, inverse, stride, count = kept
    sum_g, sum_gx = _ops.shortcut_sums(x, gradient, stride, source)
    dgamma = inverse * weight * (sum_gx - mean * sum_g)
    dweight = gamma * inverse * (sum_gx - mean * sum_g - dgamma * inverse * weight * variance)
    scale = gamma * inverse * weight
    a = -scale * dgamma * inverse * weight / count
    b = -scale * sum_g / count - a * mean
    of_x = [a.new_zeros(x.shape[1]).index_add_(0, source, part).float() for part in (a, b)]
    dx = _ops.shortcut_backward(x, gradient, stride, source, scale.float(), of_x)
    return dx, dweight.float(), dgamma.float(), sum_g.float()


class _FusedShortcut(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, gamma: Tensor, beta: Tensor, shortcut: GroupedShortcut) -> Tensor:
        out, ctx.kept = shortcut_forward(x, shortcut, weight, gamma, beta)
        ctx.save_for_backward(x, weight, gamma)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, gamma = ctx.saved_tensors
        return *shortcut_backward(x, float_channels_last(gradient), ctx.kept._replace(weight=weight, gamma=gamma)), None


def fused_shortcut(x: Tensor, shortcut: GroupedShortcut) -> Tensor:
    """The shortcut in training mode; moves the running statistics of its BN."""
    bn = shortcut.bn
    out: Tensor = _FusedShortcut.apply(float_channels_last(x), shortcut.weight.flatten(), bn.weight, bn.bias, shortcut)
    return out
