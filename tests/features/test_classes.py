"""How many outputs a network has, by its file of weights, its library, or itself."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from lst_robust import create_model, feature_statistics
from lst_robust.errors import CheckpointError
from lst_robust.evaluation.request import EvalRequest
from lst_robust.features.classes import classes_of
from lst_robust.models import save_checkpoint

SIZE = 32
BUILD = """
from torch import nn

def build(num_classes, image_size):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, {outputs})
    )

def maps(num_classes, image_size):
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, {outputs}, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


@pytest.fixture
def net(tmp_path, monkeypatch):
    """net(function, outputs, fixed) -> the name of a network and a file of its weights."""
    monkeypatch.chdir(tmp_path)

    def make(function: str, outputs: int, *, fixed: bool, ending: str = "pth"):
        (tmp_path / "net.py").write_text(BUILD.format(outputs=outputs if fixed else "num_classes"))
        weights = create_model(f"net.py:{function}", outputs, image_size=SIZE).state_dict()
        path = tmp_path / f"n1.{ending}"
        torch.save(weights, path) if ending == "pth" else save_file(weights, path)
        return f"net.py:{function}", path

    return make


def classes(model, suite, **options) -> tuple[str, ...]:
    return classes_of(EvalRequest.of(model, suite, **options), SIZE)


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
@pytest.mark.parametrize(("function", "fixed"), [("build", False), ("build", True), ("maps", False)])
def test_weights_say_how_many_outputs_there_are(net, suite, tmp_path, function, fixed, ending) -> None:
    name, path = net(function, 10, fixed=fixed, ending=ending)
    assert classes(name, suite, checkpoint=path) == tuple("0123456789")
    Image.new("RGB", (40, 50), (200, 120, 40)).save(tmp_path / "p.png")
    found = feature_statistics(
        name, suite, checkpoints=[path], images=[tmp_path / "p.png"], layers=["1"], corruptions=[]
    )
    assert found.ids == ("p.png",) and found.networks[0].model == name


def test_weights_for_the_usual_number_and_in_other_formats(suite, tmp_path) -> None:
    for outputs in (10, 100, 7):
        torch.save({"state_dict": create_model("resnet20", outputs).state_dict()}, tmp_path / "r.pth")
        assert len(classes("resnet20", suite, checkpoint=tmp_path / "r.pth")) == outputs


def test_weights_that_do_not_tell_are_refused_by_what_does_not_fit(net, suite, tmp_path) -> None:
    name, _ = net("build", 10, fixed=False)
    torch.save({"other": torch.zeros(4, 4)}, tmp_path / "other.pth")
    Image.new("RGB", (40, 50)).save(tmp_path / "p.png")
    with pytest.raises(CheckpointError, match=r"other\.pth does not fit net\.py:build"):
        feature_statistics(name, suite, checkpoints=[tmp_path / "other.pth"], images=[tmp_path / "p.png"])


def test_a_checkpoint_of_ours_says_its_classes(suite, tmp_path) -> None:
    network = create_model("resnet20", 3, image_size=SIZE)
    named = save_checkpoint(network, tmp_path / "a.safetensors", classes=["ant", "bee", "cat"])
    assert classes("resnet20", suite, checkpoint=named) == ("ant", "bee", "cat")
    unnamed = save_checkpoint(network, tmp_path / "b.safetensors")
    assert classes("resnet20", suite, checkpoint=unnamed) == ("0", "1", "2")


def test_a_network_that_is_passed_says_it_also_when_it_is_wrapped(suite) -> None:
    network = create_model("resnet20", 3, image_size=SIZE)
    assert classes(network, suite) == classes(nn.DataParallel(network), suite) == ("0", "1", "2")


def test_a_library_s_labels_are_the_classes_so_that_they_stand_in_their_order(saved, suite) -> None:
    labels = ["tench", "goldfish", "white shark"]
    assert classes(f"hf:{saved(labels)}", suite) == tuple(labels)
