"""A network that needs no training and no time, and images it can be right about."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lst_robust.suites import Suite, load_suite


class PixelSum(nn.Module):
    """Classes from the exact sum of pixel levels: as good as a guess, but any changed pixel shows, and no rounding."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        levels = (x.double() * 0.31 + 0.31).mul(255).round().sum(dim=(1, 2, 3))
        return nn.functional.one_hot(levels.long() % 10, 10).float()


class Unsteady(PixelSum):
    """Returns NaN when the images are bright, as `brightness` makes them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + torch.where(x.mean() > 0.6, torch.nan, 0.0)


@pytest.fixture
def suite() -> Suite:
    """digits-c on 40 images, with neither recipe nor normaliser."""
    return load_suite("digits-c").model_copy(update={"limit": 40, "training": None, "normaliser": None})


@pytest.fixture
def model() -> nn.Module:
    return PixelSum()


@pytest.fixture
def unsteady() -> nn.Module:
    return Unsteady()
