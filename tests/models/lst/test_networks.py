"""Whole LST-Nets: the authors' outputs, every option, and the lines of the paper's Table 1."""

from __future__ import annotations

import csv
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lst_robust.errors import UsageError
from lst_robust.models import create_model
from lst_robust.models.lst.blocks import LSTOptions
from lst_robust.suites import load_suite

torch.set_num_threads(1)
SUITES = {
    "LST-Net (random init)": "init-random",
    "LST-Net (2D-DCT init)": "default",
    "LST-I": "bottleneck-i",
    "LST-II": "default",
    "ReLU-ST": "default",
    "LReLU": "leaky-relu",
    "SELU": "selu",
    "ReLU": "relu",
    "PReLU": "prelu",
    "ELU": "elu",
    **{f"tau={tau}": f"tau-{tau}" for tau in ("0", "1e-1", "1e-2", "1e-3", "1e-5", "1e-6")},
    "tau=1e-4": "default",
}


@pytest.mark.parametrize("name", ["lst20", "lst20-i"])
def test_released_networks_give_the_authors_outputs(golden_dir: Path, released_checkpoint, name: str) -> None:
    model = create_model(name, num_classes=10, checkpoint=released_checkpoint(name)).eval()
    arrays = np.load(golden_dir / "lst" / f"{name}.npz")
    with torch.no_grad():
        outputs = model(torch.from_numpy(arrays["x"])).numpy()
    np.testing.assert_allclose(outputs, arrays["y"], rtol=1e-5, atol=1e-6)


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


def printed_methods() -> set[str]:
    text = resources.files("lst_robust.paper").joinpath("table1_ablation_cifar100.csv").read_text()
    return {row["method"] for row in csv.DictReader(text.splitlines())}


def test_every_line_has_its_suite() -> None:
    assert printed_methods() - {"ResNet (random init)", "ResNet"} == set(SUITES)


@pytest.mark.parametrize("name", sorted(set(SUITES.values())))
def test_a_suite_differs_from_the_default_in_what_it_is_named_for(name: str) -> None:
    suite = load_suite(f"ablation-{name}")
    changed = dict(suite.model_options)
    assert suite.dataset.name == "cifar100"
    assert len(changed) == (0 if name == "default" else 1)
    assert all(getattr(LSTOptions(), key) != value for key, value in changed.items())
    options = create_model("lst20", num_classes=100, **changed).config.options
    assert changed.items() <= options.items()
