"""The LST layers against the authors' outputs and against their plain definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lst_robust.errors import UsageError
from lst_robust.models import create_model
from lst_robust.models.lst.blocks import LSTI, LSTII, LSTOptions, authors_order
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


@pytest.mark.parametrize("name", ["lst20", "lst20-i"])
def test_released_networks_give_the_authors_outputs(golden_dir: Path, released_checkpoint, name: str) -> None:
    model = create_model(name, num_classes=10, checkpoint=released_checkpoint(name)).eval()
    arrays = np.load(golden_dir / "lst" / f"{name}.npz")
    with torch.no_grad():
        outputs = model(torch.from_numpy(arrays["x"])).numpy()
    np.testing.assert_allclose(outputs, arrays["y"], rtol=1e-5, atol=1e-6)


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


def test_authors_order_is_feature_major() -> None:
    assert authors_order(8, 4).tolist() == [0, 4, 1, 5, 2, 6, 3, 7]


def test_strided_shortcut_follows_the_authors_groups() -> None:
    """In the authors' order output channel i takes input channel i // m; here both sides are k-major."""
    block = LSTII(16, 8, 2, LSTOptions(), input_groups=4).eval()
    x = torch.randn(2, 16, 6, 6)
    torch.nn.init.ones_(block.shortcut.weight)
    theirs = torch.empty(2, 16, 3, 3)
    theirs[:, authors_order(16, 4)] = x[:, :, ::2, ::2]
    expected = theirs.repeat_interleave(2, 1)[:, authors_order(32, 4)]
    torch.testing.assert_close(block.shortcut(x), expected / (1 + block.shortcut.bn.eps) ** 0.5)


def test_soft_threshold_against_equation_5() -> None:
    x = torch.tensor([-2.0, -0.5, -0.1, 0.0, 0.3, 1.5])
    assert LSTOptions(tau=0.5).threshold()(x).tolist() == pytest.approx([-1.5, 0, 0, 0, 0, 1.0])


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "prelu", "elu", "selu"])
def test_other_activations_drop_soft_thresholding(activation: str) -> None:
    model = create_model("lst20", activation=activation)
    assert "SoftThreshold" not in str(model)
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(
    "options",
    [
        {"a": 1},
        {"a": 3},
        {"init": "random"},
        {"channel_transform": "diagonal"},
        {"spatial_transform": "per_channel"},
        {"bottleneck": "I", "a": 3},
    ],
)
def test_ablations_run(options: dict) -> None:
    model = create_model("lst20", num_classes=4, image_size=16, **options)
    model(torch.randn(2, 3, 16, 16)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_random_init_keeps_to_the_papers_range() -> None:
    block = LSTI(32, 64, 1, LSTOptions(init="random"))
    assert block.t_s.weight.abs().max() <= (64 * 4 * 9) ** -0.5
    assert block.t_c.weight.abs().max() <= (32 * 2 * 3) ** -0.5
    assert block.t_c.weight.std() > 0.4 * (32 * 2 * 3) ** -0.5


def test_diagonal_with_lst_i_is_refused() -> None:
    with pytest.raises(UsageError, match="bottleneck=II"):
        create_model("lst20", bottleneck="I", channel_transform="diagonal")


def test_bfloat16_autocast_stays_near() -> None:
    torch.manual_seed(0)
    model = create_model("lst20")
    images = torch.randn(16, 3, 32, 32)
    with torch.no_grad():
        for _ in range(30):  # running statistics: without them an untrained net grows without bound
            model(images)
        model.eval()
        full: Tensor = model(images)
        with torch.autocast("cpu", torch.bfloat16):
            half = model(images).float()
    assert (half - full).norm() <= 2e-2 * full.norm()
