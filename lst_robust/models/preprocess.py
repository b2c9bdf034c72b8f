"""From uint8 images to the network's input."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

Load = Callable[[Sequence[int]], np.ndarray]
"""Indices into a source -> uint8 images (n, H, W, 3)."""


class Preprocess:
    """uint8 (n, H, W, 3) on the host or the device -> float32 (n, 3, H, W) on the device, (x / 255 - mean) / std per
    channel."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: torch.device) -> None:
        self.mean = torch.tensor(mean, dtype=torch.float32, device=device).mul(255).view(1, 3, 1, 1)
        self.scale = torch.tensor(std, dtype=torch.float32, device=device).mul(255).reciprocal().view(1, 3, 1, 1)
        self.device = device

    def __call__(self, images: np.ndarray | torch.Tensor) -> torch.Tensor:
        pixels = torch.from_numpy(images) if isinstance(images, np.ndarray) else images
        pixels = pixels.to(self.device, non_blocking=True)
        return (pixels.permute(0, 3, 1, 2).float() - self.mean) * self.scale
