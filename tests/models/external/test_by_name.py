"""Other people's models: torchvision, timm, and functions in files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lst_robust.errors import CheckpointError, UsageError
from lst_robust.models import create_model, describe_models, model_info

torch.set_num_threads(1)
OWN_CODE = """
from torch import nn

def tiny(num_classes, image_size, width="4"):
    return nn.Sequential(nn.Conv2d(3, int(width), 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes))

def number(**options):
    return 3
"""


def test_torchvision_with_its_own_preprocessing() -> None:
    config = model_info("torchvision:resnet50")
    assert (config.input_size, config.num_classes, config.crop_pct) == (224, 1000, 224 / 232)
    model = create_model("torchvision:resnet18", num_classes=5, image_size=64)
    assert model(torch.randn(2, 3, 64, 64)).shape == (2, 5)
    assert model.config.family == "torchvision"


def test_timm_with_its_own_preprocessing() -> None:
    pytest.importorskip("timm")
    model = create_model("timm:efficientnet_lite0", num_classes=5, image_size=64)
    assert model.config.interpolation == "bicubic"
    assert model(torch.randn(2, 3, 64, 64)).shape == (2, 5)


def test_a_function_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(OWN_CODE)
    model = create_model(f"{path}:tiny", num_classes=5, image_size=16, width=4)
    assert model(torch.randn(2, 3, 16, 16)).shape == (2, 5)
    for function, words in (("number", "must return an nn.Module"), ("absent", "AttributeError")):
        with pytest.raises(UsageError, match=words):
            create_model(f"{path}:{function}")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("torchvision:resnet1", "did you mean resnet18"),
        ("keras:resnet50", "torchvision:NAME"),
        ("absent.py:f", "there is no file"),
    ],
)
def test_unknown_names(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        create_model(name)


def test_weights_and_other_classes_do_not_go_together() -> None:
    with pytest.raises(UsageError, match="5 classes"):
        create_model("torchvision:resnet18", num_classes=5, weights="DEFAULT")


def test_they_are_counted_too() -> None:
    [record] = describe_models(["torchvision:resnet50"])
    assert (record["params"], record["paper_params"]) == (25_557_032, None)
    assert record["macs"] == 4_089_184_256


def test_what_a_file_prints_is_no_result(tmp_path, capsys):
    path = tmp_path / "net.py"
    path.write_text(f"{OWN_CODE}\n\ndef loud(**options):\n    print('hello')\n    return tiny(**options)\n")
    create_model(f"{path}:loud", num_classes=5, image_size=16)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello\n")


def test_weights_that_cannot_be_downloaded_are_one_line(monkeypatch):
    def offline(*_: object, **__: object) -> None:
        raise OSError("no\nnetwork")

    monkeypatch.setattr("torchvision.models.get_model", offline)
    with pytest.raises(CheckpointError, match=r"weights of torchvision:resnet18 cannot be downloaded \(no network\)"):
        create_model("torchvision:resnet18", weights="DEFAULT")
