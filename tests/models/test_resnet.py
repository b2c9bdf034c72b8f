"""ResNets for ImageNet: torchvision's outputs, the initial weights, and where attention stands."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lst_robust.models import create_model
from lst_robust.models.attention import CBAM, SqueezeExcite
from lst_robust.models.resnet import Basic, Bottleneck, he_normal, projection
from tests.fixtures.torchvision_twins import assert_same_names, assert_same_outputs

torch.set_num_threads(1)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_torchvision_weights_load_and_give_the_same_outputs(name, tmp_path) -> None:
    assert_same_outputs(name, name, tmp_path)


@pytest.mark.parametrize("name", ["resnet34", "resnet101"])
def test_torchvision_names_are_our_own(name) -> None:
    assert_same_names(name, name)


@pytest.mark.parametrize(("inputs", "outputs", "stride", "layers"), [(8, 8, 1, 0), (8, 16, 1, 2), (8, 8, 2, 2)])
def test_the_shortcut_has_weights_only_where_the_shape_changes(inputs, outputs, stride, layers) -> None:
    shortcut = projection(inputs, outputs, stride)
    assert len(list(shortcut.children())) == layers
    assert shortcut(torch.zeros(1, inputs, 6, 6)).shape == (1, outputs, 6 // stride, 6 // stride)


@pytest.mark.parametrize("block", [Basic, Bottleneck])
def test_attention_acts_on_the_block_before_the_shortcut_is_added(block) -> None:
    class Nothing(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 0 * x

    x = torch.rand(2, 8 * block.expansion, 5, 5)
    torch.testing.assert_close(block(8 * block.expansion, 8, 1, Nothing).eval()(x), x)


@pytest.mark.parametrize(("name", "attention", "count"), [("senet18", SqueezeExcite, 8), ("cbam50", CBAM, 16)])
def test_every_block_of_the_attention_networks_has_one(name, attention, count) -> None:
    with torch.device("meta"):
        model = create_model(name)
    assert sum(isinstance(module, attention) for module in model.modules()) == count


def test_initial_weights_are_he_normal_over_the_outputs() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(64, 128, 3)
    he_normal(layer)
    assert layer.weight.std().item() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)
    assert abs(layer.weight.mean().item()) < 1e-3
