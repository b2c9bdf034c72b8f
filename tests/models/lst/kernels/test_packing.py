import pytest
import torch

from lst_robust.models.lst.kernels.packing import lanes, pack_pointwise, pack_spatial

pytestmark = pytest.mark.usefixtures("compiled")


@pytest.mark.parametrize("channels", [8, 16, 24, 32, 40])
def test_vectors_divide_the_channels(channels):
    assert channels % lanes(channels) == 0
    assert lanes(channels) in (8, torch.ops.lst_robust.lanes())


def test_a_pointwise_weight_has_outputs_side_by_side():
    weight = torch.arange(16 * 3).reshape(16, 3, 1, 1)
    packed = pack_pointwise(weight, 8)
    assert packed.shape == (2, 3, 8)
    assert packed[1, 2, 5] == weight[8 + 5, 2]


def test_spatial_filters_stand_tap_by_tap():
    c = 24
    weight = torch.arange(4 * c * 9).reshape(4 * c, 1, 3, 3)
    packed = pack_spatial(weight)
    width = packed.shape[-1]
    assert packed.shape == (c // width, 9, 4, width)
    assert packed[1, 5, 3, 2] == weight[3 * c + width + 2, 0, 1, 2]


@pytest.mark.parametrize("shape", [(16, 64, 1, 1), (64, 16, 1, 1), (24, 8)])
def test_the_operator_packs_as_the_function_does(shape):
    weight = torch.randn(shape)
    for transposed in (False, True):
        expected = pack_pointwise(weight.transpose(0, 1) if transposed else weight, 8)
        assert torch.equal(torch.ops.lst_robust.pack_pointwise(weight, 8, transposed), expected)
