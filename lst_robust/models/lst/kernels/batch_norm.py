"""A BN over a batch whose sums a pass has taken."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

_ops = torch.ops.lst_robust  # csrc/small_ops.cpp says what each computes


class BatchStatistics(NamedTuple):
    """mean, variance and 1 / sqrt(variance + eps), float64 (3, C), of `values` values a channel."""

    statistics: Tensor
    values: int

    def backward(self, gamma: Tensor, sums: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of gamma and beta, and (3, C) a, b, e with which a·g + b·x + e is that of the BN's input x.

        g: the gradient of its output; sums (2, C): those of g and g·x.
        """
        result: tuple[Tensor, Tensor, Tensor] = _ops.batch_norm_backward(self.statistics, gamma, sums, self.values)
        return result


def normalise(
    bn: nn.BatchNorm2d, gamma: Tensor, beta: Tensor, sums: Tensor, values: int
) -> tuple[BatchStatistics, tuple[Tensor, Tensor]]:
    """The statistics of a batch, and the scale and shift that `bn` is with them; moves its running statistics.

    sums (2, C): those of the values, `values` a channel, and of their squares. gamma and beta: the weight and bias of
    `bn`, as a function of autograd was given them. The variance is the mean of squares minus the square of the mean:
    with a mean of 30 standard deviations it is right to 0.5 %, with 100 to 5 %.
    """
    statistics, scale, shift = _ops.batch_norm(sums, values, gamma, beta, bn.eps)
    move_running_statistics(bn, statistics, values)
    return BatchStatistics(statistics, values), (scale, shift)


def values_a_channel(x: Tensor) -> int:
    """Values that a BN has of each channel of x."""
    return x.numel() // x.shape[1]


def move_running_statistics(bn: nn.BatchNorm2d, statistics: Tensor, values: int) -> None:
    """As `nn.BatchNorm2d` does, from the mean and variance (statistics[:2]) of `values` values a channel."""
    if bn.track_running_stats:
        running = (bn.running_mean, bn.running_var, bn.num_batches_tracked)
        _ops.move_statistics_(*running, statistics, values, bn.momentum)
