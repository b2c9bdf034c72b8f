"""Attention that SENet and CBAM put on a residual block's output before the shortcut is added."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """Channel attention (Hu et al., 2018): mean over the image, two 1x1 convolutions, sigmoid.

    Parameter names are those of timm's SE-ResNets.
    """

    def __init__(self, channels: int, reduction: int = 16, bias: bool = True) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1, bias=bias)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        squeezed = x.mean((2, 3), keepdim=True)
        return x * self.fc2(self.fc1(squeezed).relu()).sigmoid()


class CBAM(nn.Module):
    """Channel attention from mean and maximum, then spatial attention by one 7x7 convolution (Woo et al., 2018)."""

    conv_bn_pairs = (("spatial", "spatial_bn"),)

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(channels, channels // reduction), nn.ReLU(), nn.Linear(channels // reduction, channels)
        )
        self.spatial = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.spatial_bn = nn.BatchNorm2d(1, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        weights = self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))
        x = x * weights.sigmoid()[:, :, None, None]
        planes = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1)
        return x * self.spatial_bn(self.spatial(planes)).sigmoid()
