import pytest
import torch

from lst_robust.models.lst.kernels.packing import lanes, pack_pointwise, pack_spatial

pytestmark = pytest.mark.usefixtures("compiled")


@pytest.mark.parametrize(("channels", "most"), [(4, 4), (8, 8), (16, 16), (20, 4), (24, 8), (32, 16), (40, 8)])
def test_the_widest_vectors_that_divide_the_channels(channels, most):
    assert lanes(channels) == min(most, torch.ops.lst_robust.lanes())


@pytest.mark.parametrize("most", [4, 8, 16])
def test_narrower_vectors_on_demand(monkeypatch, most):
    processor = torch.ops.lst_robust.lanes()
    monkeypatch.setenv("LST_ROBUST_LST_VECTORS", str(most))
    assert torch.ops.lst_robust.lanes() == min(most, processor)


def test_a_pointwise_weight_has_outputs_side_by_side():
    weight = torch.arange(16.0 * 3).reshape(16, 3, 1, 1)
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
def test_a_transposed_weight_is_packed_by_its_own_outputs(shape):
    weight = torch.randn(shape)
    for transposed in (False, True):
        matrix = weight.flatten(1).T if transposed else weight.flatten(1)
        expected = matrix.reshape(-1, 8, matrix.shape[1]).transpose(1, 2)
        assert torch.equal(pack_pointwise(weight, 8, transposed=transposed), expected)
