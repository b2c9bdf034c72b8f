"""VGG-11 has torchvision's weights; its forms for the paper."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lst_robust.models import create_model
from lst_robust.models.lst.blocks import LSTI
from tests.fixtures.torchvision_twins import assert_same_names

torch.set_num_threads(1)


@pytest.mark.parametrize(("ours", "theirs"), [("vgg11", "vgg11"), ("vgg11-bn", "vgg11_bn")])
def test_torchvision_names_are_our_own(ours, theirs) -> None:
    assert_same_names(ours, theirs)


def test_lst_i_takes_the_place_of_all_convolutions_but_the_first() -> None:
    with torch.device("meta"):
        model = create_model("lst-vgg11-gap")
    blocks = [module for module in model.features if isinstance(module, LSTI)]
    assert [block.t_r.weight.shape[0] for block in blocks] == [128, 256, 256, 512, 512, 512, 512]
    assert [layer.in_features for layer in model.classifier] == [512]


@pytest.mark.parametrize("name", ["vgg11-gap", "lst-vgg11-gap"])
def test_five_pools_of_two_leave_a_seventh_of_224(name) -> None:
    with torch.device("meta"):
        model = create_model(name)
        assert model.features(torch.empty(1, 3, 224, 224)).shape == (1, 512, 7, 7)
    assert sum(isinstance(module, nn.MaxPool2d) for module in model.modules()) == 5
