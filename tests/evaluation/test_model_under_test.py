"""Whose preprocessing a network gets: its library's when the library's weights are used, else the suite's."""

from __future__ import annotations

import pytest
import torch

import lst_robust
from lst_robust.data import open_source
from lst_robust.errors import CheckpointError
from lst_robust.evaluation import inference
from lst_robust.evaluation.model_under_test import from_checkpoint, from_library
from lst_robust.models import convert_checkpoint, save_checkpoint
from lst_robust.suites import PixelStatistics

NAME = "torchvision:shufflenet_v2_x0_5"
IMAGENET = PixelStatistics(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@pytest.fixture
def digits():
    return open_source({"kind": "digits"}, "test", image_size=32)


@pytest.fixture
def theirs(tmp_path):
    torch.manual_seed(0)
    torch.save(lst_robust.create_model(NAME, 10, image_size=32).state_dict(), tmp_path / "theirs.pth")
    return tmp_path / "theirs.pth"


def test_others_weights_get_their_own_preprocessing_and_the_record_says_so(suite, digits, theirs):
    subject = from_checkpoint(NAME, theirs, suite, digits, {})
    assert subject.pixels == IMAGENET
    assert subject.identity.options == {"mean": "0.485, 0.456, 0.406", "std": "0.229, 0.224, 0.225"}


def test_the_network_gets_it(suite, theirs, tmp_path, monkeypatch):
    used = []

    class Spy(inference.Preprocess):
        def __init__(self, mean, std, device):
            used.append(PixelStatistics(mean=mean, std=std))
            super().__init__(mean, std, device)

    monkeypatch.setattr(inference, "Preprocess", Spy)
    asked = {"corruptions": ["contrast"], "severities": [1], "results_dir": tmp_path}
    lst_robust.evaluate(NAME, suite, checkpoint=theirs, model_options={}, **asked)
    lst_robust.evaluate(lst_robust.create_model(NAME, 10, image_size=32), suite, **asked)
    assert used == [IMAGENET, suite.pixels]


def test_where_the_suite_says_the_same_nothing_is_noted(suite, digits, theirs):
    subject = from_checkpoint(NAME, theirs, suite.model_copy(update={"pixels": IMAGENET}), digits, {})
    assert subject.pixels is None and subject.identity.options == {}


def test_our_own_training_of_such_a_network_followed_the_suite(suite, digits, tmp_path):
    model, file = lst_robust.create_model(NAME, 10, image_size=32), tmp_path / "ours.safetensors"
    for stated in ({}, {"pixels": suite.pixels.model_dump(mode="json")}):
        save_checkpoint(model, file, recipe={}, **stated)
        assert from_checkpoint(NAME, file, suite, digits, None).pixels is None


def test_a_training_on_another_suite_had_other_statistics(suite, digits, tmp_path, caplog):
    caplog.set_level("INFO", "lst_robust")
    other = PixelStatistics(mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    model, file = lst_robust.create_model("alexnet", 10, image_size=32), tmp_path / "ours.safetensors"
    save_checkpoint(model, file, recipe={}, pixels=other.model_dump(mode="json"))
    subject = from_checkpoint("alexnet", file, suite, digits, None)
    assert subject.pixels == other and subject.identity.options["mean"] == "0.1, 0.2, 0.3"
    assert "its input is normalised as in its training (minus mean (0.1, 0.2, 0.3)" in caplog.text
    save_checkpoint(model, file, recipe={}, pixels={"mean": [0, 0, 0], "std": [0, 0, 0]})
    with pytest.raises(CheckpointError, match="its header has no such mean and standard deviation"):
        from_checkpoint("alexnet", file, suite, digits, None)


def test_a_converted_file_is_normalised_as_the_one_it_was_made_of_and_a_warning_says_how(
    suite, digits, theirs, tmp_path, caplog
):
    converted = convert_checkpoint(theirs, tmp_path / "converted.safetensors", NAME, num_classes=10, image_size=32)
    found, before = (from_checkpoint(NAME, file, suite, digits, {}) for file in (converted, theirs))
    assert found.pixels == before.pixels == IMAGENET and found.identity.options == before.identity.options
    assert "converted.safetensors does not say how its training normalised the input" in caplog.text
    assert "theirs.pth" not in caplog.text


def test_weights_by_their_librarys_name(suite, digits, monkeypatch):
    import torchvision

    def build(name, weights, num_classes):
        assert (name, weights, num_classes) == ("shufflenet_v2_x0_5", "DEFAULT", 10)
        return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 10))

    monkeypatch.setattr(torchvision.models, "get_model", build)
    subject = from_library(NAME, suite, digits, {"weights": "DEFAULT"})
    assert subject.pixels == IMAGENET and subject.identity.options["weights"] == "DEFAULT"
    assert len(subject.identity.checkpoint_sha256) == 64 and subject.identity.train_seed is None
    assert isinstance(subject.model, torch.nn.Sequential)
