"""From a name and options to a network: defaults, types, refusals, and what a checkpoint brings."""

from __future__ import annotations

import pytest
import torch

from lst_robust.errors import UsageError
from lst_robust.models import (
    canonical_options,
    create_model,
    fitting_options,
    load_checkpoint,
    require_no_checkpoint,
    require_options,
    save_checkpoint,
    without_image_size,
)
from lst_robust.models.entry import CIFAR10, CIFAR100, IMAGENET

torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("lst81", {}, "lst18"),
        ("lst18", {"colour": 1}, "bottleneck"),
        ("lst18", {"tau": "much"}, "0.0001"),
        ("lst18", {"tau": -1}, "threshold"),
        ("lst18", {"a": 1.5}, "'a'"),
        ("lst18", {"activation": "tanh"}, "st-relu, relu"),
        ("lst18", {"stem": "5x5"}, "3x3s2"),
        ("lst18", {"image_size": 4}, "image_size is 4: give a whole number from 8"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(name: str, options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        create_model(name, num_classes=2, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{"activation": "tanh"}, {"stem": "5x5"}, {"tau": -1}, {"colour": 1}])
def test_values_are_looked_at_before_the_work(options):
    require_options("lst18", {"tau": "1e-3", "stem": "3x3s1"})
    with pytest.raises(UsageError):
        require_options("lst18", options)


@pytest.mark.parametrize(
    ("name", "options"), [("alexnet", {"stem": "3x3s2-pool"}), ("vgg11-gap", {}), ("lst-vgg11-gap", {})]
)
def test_a_network_that_cannot_take_small_images_says_so(name, options):
    with pytest.raises(UsageError, match=f"{name} cannot take images of 16 pixels .*choose a suite of another size"):
        create_model(name, num_classes=2, image_size=16, **options)


def test_options_may_be_text() -> None:
    model = create_model("lst18", num_classes=2, image_size="32", tau="0.01", a="2")
    assert model.config.options["tau"] == 0.01
    assert model.config.input_size == 32


def test_a_checkpoint_brings_its_options(tmp_path) -> None:
    model = create_model("lst18", num_classes=3, image_size=32, stem="3x3s2")
    path = save_checkpoint(model, tmp_path / "lst18.safetensors", classes=["a", "b", "c"])
    again = create_model("lst18", checkpoint=path)
    assert again.config == model.config
    for key, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])
    assert load_checkpoint(again, path)["classes"] == ["a", "b", "c"]


def test_the_normalisation_is_that_of_the_training_set() -> None:
    """The released code has other statistics for CIFAR-100, and 100 classes at 32 pixels mean that set."""
    means = [
        create_model(name, classes).config.mean for name, classes in (("lst20", 10), ("lst20", 100), ("lst18", 100))
    ]
    assert means == [CIFAR10.mean, CIFAR100.mean, IMAGENET.mean]


def test_small_images_are_not_cropped() -> None:
    assert create_model("resnet18", 2).config.crop_pct == 0.875
    assert create_model("resnet18", 2, image_size=32).config.crop_pct == 1.0


def test_options_of_a_suite_go_to_the_networks_that_have_them() -> None:
    options = {"tau": 0.1, "stem": "3x3s2"}
    assert fitting_options("lst18", options) == options
    assert fitting_options("resnet18", options) == {"stem": "3x3s2"}
    assert fitting_options("mobilenetv2", options) == {}


def test_options_are_checked_without_building_the_network() -> None:
    require_options("lst18", {"tau": "0.1"})
    with pytest.raises(UsageError, match="no option 'tau'"):
        require_options("resnet18", {"tau": 0.1})
    with pytest.raises(UsageError, match="image_size is set by the suite"):
        without_image_size({"image_size": 32})


def test_options_in_the_words_that_identify_a_network():
    assert canonical_options("torchvision:resnet18", {"weights": "pretrained"}) == {"weights": "DEFAULT"}
    assert canonical_options("torchvision:resnet18", {"weights": "IMAGENET1K_V1"}) == {"weights": "IMAGENET1K_V1"}
    assert canonical_options("lst18", {"stem": "3x3s1"}) == {"stem": "3x3s1"}


def test_a_checkpoint_is_for_names_that_mean_no_weights():
    require_no_checkpoint("lst18", "w.safetensors")
    require_no_checkpoint("torchvision:resnet18", "w.safetensors")
