"""The learnable sparse transforms T_s, T_c, T_r and soft thresholding (paper, section 3).

Channels behind T_s are *k-major*: channel k*c + j holds coefficient k of feature j. The authors' released code puts
them j-major (j*a² + k); `lst_robust.models.formats` permutes its checkpoints. K-major makes T_s one depthwise
convolution per coefficient, written side by side, and nothing has to be shuffled afterwards.
"""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lst_robust.errors import UsageError


@cache
def dct_basis(rows: int, columns: int) -> Tensor:
    """The first basis vectors of the orthonormal DCT-II as float32 (rows, columns).

    With fewer rows than columns, row u is the basis vector of frequency u over `columns` samples. Otherwise the
    matrix is the transpose of `dct_basis(columns, rows)`: so the released code has it, and its checkpoints start
    there. The order of the operations is the one that gives the released values to the last bit. The tensor is
    kept for the next call: copy it, don't change it.
    """
    if rows >= columns:
        frequencies, samples = columns, rows
    else:
        frequencies, samples = rows, columns
    u = torch.arange(frequencies, dtype=torch.float32, device="cpu")[:, None]
    x = torch.arange(samples, dtype=torch.float32, device="cpu")[None, :]
    basis = torch.cos((2 * x + 1) * (u * math.pi) / (2 * samples)) * math.sqrt(2 / samples)
    basis[0] = math.sqrt(1 / samples)
    return basis.T.contiguous() if rows >= columns else basis


def dct_filters(a: int, size: int) -> Tensor:
    """2D-DCT filters (a², 1, size, size): number v + a*h has vertical frequency v and horizontal frequency h."""
    basis = dct_basis(a, size)
    return torch.einsum("vi,hj->hvij", basis, basis).reshape(a * a, 1, size, size)


class SoftThreshold(nn.Module):
    """ST, equation 5: sign(x) · max(|x| - tau, 0)."""

    def __init__(self, tau: float) -> None:
        super().__init__()
        self.tau = tau

    def forward(self, x: Tensor) -> Tensor:
        return F.softshrink(x, self.tau)

    def extra_repr(self) -> str:
        return f"tau={self.tau}"


class SpatialTransform(nn.Module):
    """T_s: every channel filtered by the same a² filters, (N, c, H, W) -> (N, a²·c, H', W'), k-major.

    `weight` is (a², 1, s, s); with `shared=False` each channel has its own filters and it is (a²·c, 1, s, s), k-major.
    """

    def __init__(self, channels: int, a: int, size: int, stride: int, shared: bool) -> None:
        super().__init__()
        self.channels, self.filters, self.stride, self.padding = channels, a * a, stride, size // 2
        self.shared = shared
        self.weight = nn.Parameter(torch.empty(a * a if shared else a * a * channels, 1, size, size))

    def reset_parameters(self, a: int, init: str) -> None:
        """DCT filters, or the paper's uniform range (section 4.2, u = 1 / (C_in·a²·s²))."""
        size = self.weight.shape[-1]
        with torch.no_grad():
            if init == "dct":
                filters = dct_filters(a, size)
                self.weight.copy_(filters if self.shared else filters.repeat_interleave(self.channels, 0))
            else:
                bound = math.sqrt(1 / (self.channels * a * a * size * size))
                self.weight.uniform_(-bound, bound)

    def forward(self, z: Tensor) -> Tensor:
        """One depthwise convolution per filter: fast on a CPU, where a channel multiplier is not."""
        responses = [
            F.conv2d(z, weight, None, self.stride, self.padding, groups=self.channels)
            for weight in self.channel_weights()
        ]
        return torch.cat(responses, 1)

    def channel_weights(self) -> list[Tensor]:
        """The a² depthwise weights, each (c, 1, s, s)."""
        if self.shared:
            return [weight.expand(self.channels, 1, -1, -1) for weight in self.weight]
        return list(self.weight.chunk(self.filters))

    def extra_repr(self) -> str:
        return f"{self.channels} -> {self.filters}x{self.channels}, stride={self.stride}, shared={self.shared}"


def spatial_transform(z: Tensor, weight: Tensor, stride: int) -> Tensor:
    """The definition of the shared T_s, to which every faster path is proved equal.

    Each channel is an image of its own, convolved with the a² filters: (N, c, H, W) -> (N, a²·c, H', W'), k-major.
    """
    n, c = z.shape[:2]
    responses = F.conv2d(z.reshape(n * c, 1, *z.shape[2:]), weight, None, stride, weight.shape[-1] // 2)
    return responses.unflatten(0, (n, c)).transpose(1, 2).flatten(1, 2)


class DiagonalTransform(nn.Module):
    """T_c with one weight a channel, (N, c, H, W) -> the same shape: what some printed rows count (see the registry).

    It starts at 1: a diagonal has no DCT, and the identity keeps what T_r gives.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, groups=self.weight.shape[0])


def channel_transform(inputs: int, outputs: int, a: int, size: int, init: str, kind: str) -> nn.Module:
    """T_c: a 1x1 convolution that starts as the DCT along the channels, or at random, or the diagonal form."""
    if kind == "diagonal":
        if inputs != outputs:
            raise UsageError("channel_transform=diagonal needs as many outputs as inputs: use it with bottleneck=II")
        return DiagonalTransform(inputs)
    convolution = nn.Conv2d(inputs, outputs, 1, bias=False)
    with torch.no_grad():
        if init == "dct":
            convolution.weight.copy_(dct_basis(outputs, inputs)[:, :, None, None])
        else:
            bound = math.sqrt(1 / (inputs * a * size))  # section 4.2, u = 1 / (C_in·a·s)
            convolution.weight.uniform_(-bound, bound)
    return convolution


def resize_transform(inputs: int, outputs: int) -> nn.Conv2d:
    """T_r: a 1x1 convolution, He-normal over the outputs."""
    convolution = nn.Conv2d(inputs, outputs, 1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution
