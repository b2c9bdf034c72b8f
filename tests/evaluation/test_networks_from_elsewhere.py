"""Networks whose names mean weights, from a request to records: from folders, as their libraries save them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import lst_robust
from lst_robust.benchmark import CLEAN_CELL
from lst_robust.data.imagenet import wnids
from lst_robust.errors import UsageError
from lst_robust.evaluation.model_under_test import from_library
from lst_robust.evaluation.request import EvalRequest
from lst_robust.models import canonical_options, create_model
from lst_robust.suites import load_suite
from lst_robust.training.planned import plan_training
from lst_robust.workflow import with_weights

CELLS = {"corruptions": ["contrast"], "severities": [3]}


@pytest.fixture(autouse=True)
def nothing_is_fetched(offline):
    """For all tests here."""


@pytest.fixture
def suite():
    """Images of 40 x 32 pixels as squares of 32, in the classes cat and dog."""
    shipped = load_suite("imagefolder")
    dataset = shipped.dataset.model_copy(update={"resize": 32})
    fields = {"image_size": 32, "dataset": dataset, "preset": "cifar", "training": None}
    return shipped.model_copy(update=fields)


@pytest.fixture
def asked(draw_images, tmp_path):
    return {"data_dir": draw_images(0), "results_dir": tmp_path / "r", **CELLS}


def test_a_classifier_of_transformers_needs_no_option(saved, suite, asked):
    name = f"hf:{saved(['cat', 'dog'])}"
    evaluation = lst_robust.evaluate(name, suite, **asked)
    assert evaluation.measured == 2
    assert evaluation.run.model.options == {"mean": "0.5, 0.5, 0.5", "std": "0.5, 0.5, 0.5"}
    again = lst_robust.evaluate(name, suite, model_options={"weights": "pretrained"}, **asked)
    assert again.measured == 0 and again.run == evaluation.run, "the option says what the name says already"


def test_it_is_right_about_the_same_images_as_in_a_plain_script(saved, suite, asked):
    transformers = pytest.importorskip("transformers")
    folder = saved(["cat", "dog"], transformers.ViTImageProcessorPil(size={"height": 32, "width": 32}))
    record = lst_robust.evaluate(f"hf:{folder}", suite, preprocess="model", **asked).records[CLEAN_CELL]
    network = transformers.ViTForImageClassification.from_pretrained(folder).eval()
    files = sorted((asked["data_dir"] / "test").glob("*/*.png"))
    images = transformers.ViTImageProcessorPil.from_pretrained(folder)([Image.open(file) for file in files])
    with torch.inference_mode():
        answers = network(torch.tensor(np.stack(images["pixel_values"]))).logits.argmax(1)
    right = [network.config.id2label[int(one)] == file.parent.name for one, file in zip(answers, files, strict=True)]
    assert record.correct_bits().tolist() == right


def test_the_same_network_with_its_labels_in_another_order_gives_the_same_numbers(saved, suite, asked):
    transformers = pytest.importorskip("transformers")
    folder = saved(["cat", "dog"])
    first = lst_robust.evaluate(f"hf:{folder}", suite, **asked)
    turned = saved(["dog", "cat"], name="turned")
    network = transformers.ViTForImageClassification.from_pretrained(folder)
    head = network.classifier
    head.weight.data, head.bias.data = head.weight.data.flip(0), head.bias.data.flip(0)
    config = transformers.ViTConfig.from_pretrained(turned)
    network.config = config
    network.save_pretrained(turned)
    second = lst_robust.evaluate(f"hf:{turned}", suite, **asked)
    assert second.run.model.options["outputs"] == "in the order of the data's classes"
    assert [r.correct for r in second.records.values()] == [r.correct for r in first.records.values()]


def test_a_background_in_front_is_left_out(saved, suite, asked):
    name = f"hf:{saved(['background', 'cat', 'dog'])}"
    assert lst_robust.evaluate(name, suite, **asked).run.model.options["outputs"] == "without background"


def test_where_it_lay_is_no_part_of_what_it_is(saved, suite, asked):
    folder = saved(["cat", "dog"])
    first = lst_robust.evaluate(f"hf:{folder}", suite, **asked).run.model
    moved = folder.rename(folder.with_name("moved"))
    second = lst_robust.evaluate(f"hf:{moved}", suite, **asked).run.model
    assert first.name != second.name
    assert first.model_copy(update={"name": second.name}) == second


def test_weights_in_timms_format_need_no_option(saved_by_timm, suite, asked):
    name = f"timm:local-dir:{saved_by_timm(2, ['dog', 'cat'])}"
    evaluation = lst_robust.evaluate(name, suite, **asked)
    assert evaluation.measured == 2 and evaluation.run.model.options["outputs"].startswith("in the order")
    own = lst_robust.evaluate(name, suite, preprocess="model", **asked)
    assert own.run.model.geometry.described() == "shorter side to 168 (bilinear), centre 160 x 160"


def test_a_zero_shot_network_is_told_the_classes(tiny_clip, suite, asked):
    larger = suite.model_copy(update={"image_size": 64, "dataset": suite.dataset.model_copy(update={"resize": 64})})
    name = f"open_clip:tiny-clip/{tiny_clip}"
    evaluation = lst_robust.evaluate(name, larger, **asked)
    options = evaluation.run.model.options
    assert options["prompts"].startswith("simple ") and len(options["prompts"]) == len("simple ") + 12
    assert evaluation.run.model.checkpoint_sha256 == create_model(name, classes=("cat", "dog")).weights_sha256
    same = lst_robust.evaluate(name, larger, model_options={"prompts": "simple"}, **asked)
    assert same.measured == 0 and same.run == evaluation.run
    other = lst_robust.evaluate(name, larger, model_options={"prompts": "imagenet-80"}, **asked)
    assert other.measured == 2 and other.run.model.options["prompts"].startswith("imagenet-80 ")
    own = lst_robust.evaluate(name, suite, preprocess="model", **asked)  # 64 pixels, whatever the suite has
    assert own.run.model.geometry.described() == "shorter side to 64 (bicubic), centre 64 x 64"


def test_classes_that_are_numbers_are_no_words(tiny_clip, tmp_path):
    with pytest.raises(UsageError, match="'0' is no word"):
        lst_robust.evaluate(f"open_clip:tiny-clip/{tiny_clip}", "digits-c", results_dir=tmp_path / "r", **CELLS)


def test_they_are_never_trained(saved, suite, asked, tiny):
    name = f"hf:{saved(['cat', 'dog'])}"
    with pytest.raises(UsageError, match="comes with its weights, and is not trained here"):
        plan_training(name, lst_robust.load_suite(str(tiny)))
    request = EvalRequest.of(name, suite, **asked)
    assert request.has_weights and with_weights(request) is request
    for options, words in (({"checkpoint": "w.safetensors"}, "hf:FOLDER"), ({"train_seed": 1}, "are trained")):
        with pytest.raises(UsageError, match=words):
            EvalRequest.of(name, suite, **asked, **options)


def test_options_of_a_suite_are_for_those_networks_that_have_them(saved, suite, asked):
    of_a_suite = suite.model_copy(update={"model_options": {"stem": "auto", "weights": "pretrained"}})
    assert lst_robust.evaluate(f"hf:{saved(['cat', 'dog'])}", of_a_suite, **asked).measured == 2


def test_other_numbers_of_classes_are_refused_before_any_image_is_classified(saved, saved_by_timm, suite, asked):
    for name in (f"hf:{saved(['cat', 'dog', 'eel'])}", f"timm:local-dir:{saved_by_timm(3)}"):
        with pytest.raises(UsageError, match="3 outputs, and the data has 2 classes"):
            lst_robust.evaluate(name, suite, **asked)


def test_a_head_that_timm_would_make_anew_is_refused(suite, asked):
    """timm gives a network with other classes than its weights have a random classifier, and says nothing."""
    options = {"weights": "pretrained"}
    for name, words in (
        ("timm:test_resnet", "1,000 outputs, and the data has 2 classes"),
        ("timm:vit_base_patch16_224.augreg_in21k", "full ImageNet-21k.*ft_in1k"),
    ):
        with pytest.raises(UsageError, match=words):
            lst_robust.evaluate(name, suite, model_options=options, **asked)


def test_one_word_for_pretrained_weights_serves_torchvision_too(suite, monkeypatch):
    """And the network is the one that was measured by the name DEFAULT."""

    def build(name, weights, num_classes):
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, num_classes))

    monkeypatch.setattr("torchvision.models.get_model", build)
    name, source = "torchvision:resnet18", type("Source", (), {"classes": wnids(), "image_size": 32})()
    found = []
    for weights in ("DEFAULT", "pretrained"):
        request = EvalRequest.of(name, suite, model_options={"weights": weights})
        assert request.has_weights and request.options == {"weights": "DEFAULT"}
        found.append(from_library(name, suite, source, request.options).identity)
    assert found[0] == found[1] and found[0].options == {"weights": "DEFAULT"}
    assert canonical_options("timm:test_resnet", {"weights": "pretrained"}) == {"weights": "pretrained"}
