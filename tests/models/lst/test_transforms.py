"""The transforms against the authors' values and against their plain definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lst_robust.models.lst.blocks import LSTII, LSTOptions
from lst_robust.models.lst.transforms import SpatialTransform, dct_basis, dct_filters, spatial_transform

torch.set_num_threads(1)


def test_initial_transforms_are_the_released_ones_to_the_last_bit(golden_dir: Path) -> None:
    released = np.load(golden_dir / "lst" / "initial_transforms.npz")
    bases = [key for key in released.files if key.startswith("dct_")]
    assert len(bases) == 8
    for key in bases:
        rows, columns = map(int, key.split("_")[1:])
        np.testing.assert_array_equal(dct_basis(rows, columns).numpy(), released[key])
    np.testing.assert_array_equal(dct_filters(2, 3).numpy(), released["t_s_2_3"])
    layer = LSTII(16, 16, 1, LSTOptions())
    np.testing.assert_array_equal(layer.t_c.weight.detach().numpy(), released["t_c_16_16"])
    np.testing.assert_array_equal(layer.t_s.weight.detach().numpy(), released["t_s_2_3"])


def test_basis_is_orthonormal_and_transposed_when_tall() -> None:
    assert torch.allclose(dct_basis(5, 8) @ dct_basis(5, 8).T, torch.eye(5), atol=1e-6)
    assert torch.equal(dct_basis(8, 5), dct_basis(5, 8).T)


@pytest.mark.parametrize(("a", "size"), [(2, 3), (3, 3), (3, 5)])
@pytest.mark.parametrize("stride", [1, 2])
def test_spatial_transform_equals_its_definition(a: int, size: int, stride: int) -> None:
    """Values and gradients, float64."""
    layer = SpatialTransform(6, a, size, stride, shared=True).double()
    layer.reset_parameters(a, "dct")
    results = []
    for transform in (layer, lambda z: spatial_transform(z, layer.weight, stride)):
        z = torch.linspace(-1, 1, 2 * 6 * 9 * 7, dtype=torch.float64).sin().reshape(2, 6, 9, 7).requires_grad_()
        out = transform(z)
        gradients = torch.autograd.grad((out * out.detach().cos()).sum(), (z, layer.weight))
        results.append((out.detach(), *gradients))
    for fast, defined in zip(*results, strict=True):
        torch.testing.assert_close(fast, defined, rtol=1e-12, atol=1e-12)


def test_own_filters_for_each_channel_start_as_the_shared_ones() -> None:
    z = torch.randn(2, 5, 6, 6)
    shared, own = (SpatialTransform(5, 2, 3, 1, shared) for shared in (True, False))
    for layer in (shared, own):
        layer.reset_parameters(2, "dct")
    assert own.weight.numel() == 5 * shared.weight.numel()
    torch.testing.assert_close(own(z), shared(z))


def test_soft_threshold_against_equation_5() -> None:
    x = torch.tensor([-2.0, -0.5, -0.1, 0.0, 0.3, 1.5])
    assert LSTOptions(tau=0.5).threshold()(x).tolist() == pytest.approx([-1.5, 0, 0, 0, 0, 1.0])
