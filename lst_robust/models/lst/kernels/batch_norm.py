"""The algebra of a BN over a batch whose sums a pass has taken."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class BatchStatistics(NamedTuple):
    """A BN over a batch: float64, (C,) each."""

    mean: Tensor
    variance: Tensor
    inverse: Tensor  # 1 / sqrt(variance + eps)
    values: int  # of a channel

    @classmethod
    def of(cls, sums: Tensor, count: int, eps: float) -> BatchStatistics:
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


def values_a_channel(x: Tensor) -> int:
    """Values that a BN has of each channel of x."""
    return x.numel() // x.shape[1]


@torch.no_grad()
def move_running_statistics(bn: nn.BatchNorm2d, mean: Tensor, variance: Tensor, count: int) -> None:
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
