"""MobileNetV2 is torchvision's, and the paper's LST form of it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lst_robust.models.lst.blocks import LSTOptions
from lst_robust.models.mobilenet import InvertedResidual, LSTInverted
from tests.fixtures.torchvision_twins import assert_same_outputs

torch.set_num_threads(1)


def test_torchvision_weights_load_and_give_the_same_outputs(tmp_path) -> None:
    assert_same_outputs("mobilenetv2", "mobilenet_v2", tmp_path)


@pytest.mark.parametrize(
    ("outputs", "stride", "added"), [(8, 1, True), (8, 2, False), (12, 1, False)], ids=["same", "strided", "wider"]
)
@pytest.mark.parametrize("lst", [False, True])
def test_the_input_is_added_where_the_shape_stays(lst, outputs, stride, added) -> None:
    """With the last BN at zero, a block gives back its input or nothing."""
    block = LSTInverted(8, 16, outputs, stride, LSTOptions()) if lst else InvertedResidual(8, outputs, stride, 6)
    last = block.bn_r if lst else block.conv[-1]
    nn.init.zeros_(last.weight)
    x = torch.randn(2, 8, 6, 6)
    expected = x if added else torch.zeros(2, outputs, 6 // stride, 6 // stride)
    torch.testing.assert_close(block.eval()(x), expected)
