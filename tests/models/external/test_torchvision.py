"""Models of torchvision: structures, and weights by their name there."""

from __future__ import annotations

import pytest
import torch

from lst_robust.errors import CheckpointError, UsageError
from lst_robust.models import create_model, describe_models, model_info
from lst_robust.models.external import stated_geometry


def test_torchvision_with_its_own_preprocessing() -> None:
    config = model_info("torchvision:resnet50")
    assert (config.input_size, config.num_classes, config.crop_pct) == (224, 1000, 224 / 232)
    model = create_model("torchvision:resnet18", num_classes=5, image_size=64)
    assert model(torch.randn(2, 3, 64, 64)).shape == (2, 5)
    assert model.config.family == "torchvision"


def test_weights_and_other_classes_do_not_go_together() -> None:
    with pytest.raises(UsageError, match="5 classes"):
        create_model("torchvision:resnet18", num_classes=5, weights="DEFAULT")


def test_they_are_counted_too() -> None:
    [record] = describe_models(["torchvision:resnet50"])
    assert (record["params"], record["paper_params"]) == (25_557_032, None)
    assert record["macs"] == 4_089_184_256


def test_weights_that_cannot_be_downloaded_are_one_line(monkeypatch):
    def offline(*_: object, **__: object) -> None:
        raise OSError("no\nnetwork")

    monkeypatch.setattr("torchvision.models.get_model", offline)
    with pytest.raises(CheckpointError, match=r"weights of torchvision:resnet18 cannot be downloaded \(no network\)"):
        create_model("torchvision:resnet18", weights="DEFAULT")


def test_pretrained_is_another_word_for_the_default(monkeypatch):
    asked = []

    def build(name, weights, num_classes):
        asked.append(weights)
        return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, num_classes))

    monkeypatch.setattr("torchvision.models.get_model", build)
    for weights in ("pretrained", "DEFAULT", "IMAGENET1K_V1", ""):
        create_model("torchvision:resnet50", weights=weights)
    assert asked == ["DEFAULT", "DEFAULT", "IMAGENET1K_V1", None]
    assert create_model("torchvision:resnet50", weights="pretrained").config.options == {"weights": "DEFAULT"}
    name = "torchvision:resnet50"
    assert (
        stated_geometry(name, "pretrained")
        == stated_geometry(name, "DEFAULT")
        != stated_geometry(name, "IMAGENET1K_V1")
    )
