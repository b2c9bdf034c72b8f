"""Every line of the paper's Table 1 is a suite whose options build the network it means."""

from __future__ import annotations

import csv
from importlib import resources

import pytest

from lst_robust.models import create_model
from lst_robust.models.lst.blocks import LSTOptions
from lst_robust.suites import load_suite

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
