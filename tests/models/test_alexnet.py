"""AlexNet has torchvision's weights; its forms for the paper and for small images."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lst_robust.models import create_model
from lst_robust.models.lst.blocks import LSTI
from tests.fixtures.torchvision_twins import assert_same_names, assert_same_outputs

torch.set_num_threads(1)


def layers(model: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, kind)]


def test_torchvision_weights_load_and_give_the_same_outputs(tmp_path) -> None:
    assert_same_names("alexnet", "alexnet")
    assert_same_outputs("alexnet", "alexnet", tmp_path)


@pytest.mark.parametrize(("name", "linear", "norms"), [("alexnet", 3, 0), ("alexnet-bn", 3, 5), ("alexnet-gap", 1, 0)])
def test_the_forms_differ_in_their_head_and_their_norms(name, linear, norms) -> None:
    with torch.device("meta"):
        model = create_model(name)
    assert len(layers(model, nn.Linear)) == linear and len(layers(model, nn.BatchNorm2d)) == norms


def test_lst_i_takes_the_place_of_all_convolutions_but_the_first() -> None:
    with torch.device("meta"):
        model = create_model("lst-alexnet-gap")
    assert [(block.t_c.weight.shape[1], block.t_r.weight.shape[0]) for block in layers(model, LSTI)] == [
        (64, 192), (192, 384), (384, 256), (256, 256),
    ]  # fmt: skip
    assert model.features[0].weight.shape == (64, 3, 11, 11)


@pytest.mark.parametrize("name", ["alexnet", "lst-alexnet"])
def test_small_images_get_one_linear_layer_behind_the_mean(name) -> None:
    model = create_model(name, num_classes=4, image_size=32).eval()
    assert [layer.in_features for layer in layers(model, nn.Linear)] == [256]
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 4)
