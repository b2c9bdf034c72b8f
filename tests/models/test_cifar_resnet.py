"""ResNets for CIFAR: depth, shortcuts, and the order of the layers in a pre-activation block."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lst_robust.models import create_model
from lst_robust.models.cifar_resnet import PreactBasic

torch.set_num_threads(1)


@pytest.mark.parametrize("family", ["resnet", "senet", "cbam", "preact"])
@pytest.mark.parametrize("depth", [20, 56])
def test_the_depth_counts_the_3x3_convolutions_and_the_linear_layer(family, depth) -> None:
    with torch.device("meta"):
        model = create_model(f"{family}{depth}")
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert sum(module.kernel_size == (3, 3) for module in convolutions) + 1 == depth
    shortcuts = [module for module in convolutions if module.kernel_size == (1, 1) and module.stride == (2, 2)]
    assert [module.out_channels for module in shortcuts] == [32, 64]


def test_the_stages_halve_the_image_and_double_the_channels() -> None:
    model = create_model("resnet20").eval()
    x = torch.zeros(1, 3, 32, 32)
    shapes = []
    for name in ("layer1", "layer2", "layer3"):
        model.get_submodule(name).register_forward_hook(lambda _, __, y: shapes.append(tuple(y.shape[1:])))
    model(x)
    assert shapes == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]


@pytest.mark.parametrize(("inputs", "strides"), [(4, (1, 1)), (2, (2, 1)), (2, (1, 2))])
def test_a_preactivation_block_is_its_definition(inputs, strides) -> None:
    """Where the shape changes, the shortcut takes the activated input; else the input itself, and no ReLU follows."""
    torch.manual_seed(0)
    block = PreactBasic(inputs, 4, strides).eval()
    x = torch.randn(2, inputs, 6, 6)
    active = block.bn1(x).clamp(min=0)
    stages = block.conv2(block.bn2(block.conv1(active)).clamp(min=0))
    expected = stages + (x if inputs == 4 else block.shortcut(active))
    torch.testing.assert_close(block(x), expected)
    assert (expected < 0).any()
