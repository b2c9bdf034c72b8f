"""Wide ResNets: torchvision's for ImageNet, and where the stride stands in those for CIFAR."""

from __future__ import annotations

import pytest
import torch

from lst_robust.models import create_model
from lst_robust.models.cifar_resnet import PreactBasic
from lst_robust.models.resnet import Basic
from tests.fixtures.torchvision_twins import assert_same_names


def test_wrn50_x2_has_the_weights_of_torchvisions() -> None:
    assert_same_names("wrn50-x2", "wide_resnet50_2")


@pytest.mark.parametrize(("name", "blocks", "width"), [("wrn16-8", 2, 128), ("wrn28-10", 4, 160)])
def test_cifar_networks_are_so_deep_and_wide_as_named_and_stride_late(name, blocks, width) -> None:
    with torch.device("meta"):
        model = create_model(name)
    assert len(model.blocks) == 3 * blocks
    assert all(isinstance(block, PreactBasic) for block in model.blocks)
    assert [block.conv1.out_channels for block in model.blocks[::blocks]] == [width, 2 * width, 4 * width]
    strides = [(block.conv1.stride, block.conv2.stride) for block in model.blocks]
    assert [i for i, pair in enumerate(strides) if pair == ((1, 1), (2, 2))] == [blocks, 2 * blocks]
    assert set(strides) == {((1, 1), (1, 1)), ((1, 1), (2, 2))}


def test_widened_imagenet_networks_keep_the_stem() -> None:
    with torch.device("meta"):
        model = create_model("wrn18-x1.5")
    assert model.conv1.out_channels == 64
    widths = [block.conv1.out_channels for block in model.modules() if isinstance(block, Basic)]
    assert widths == [96, 96, 192, 192, 384, 384, 768, 768]
