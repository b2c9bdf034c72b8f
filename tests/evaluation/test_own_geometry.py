"""Whose resize and crop the images get, and that the two are never mixed. The reference is a plain script with timm."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from timm.data import create_transform, resolve_model_data_config
from torch import nn

import lst_robust
from lst_robust.analysis.networks import collect_summaries
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import LstRobustError, UsageError
from lst_robust.models import save_checkpoint
from lst_robust.models.external import stated_geometry
from lst_robust.reporting.tables import groups, robustness_table
from lst_robust.suites import Suite, load_suite

NETWORKS = ["test_resnet", "test_efficientnet"]  # random weights: 160 pixels cut from 168, bilinear and bicubic
CELLS = {"corruptions": ["contrast", "pixelate"], "severities": [3]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """16 parts of two photographs, of several shapes, in two classes."""
    top = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for number in range(16):
        photograph = load_sample_images().images[number % 2]
        height, width = random.integers(150, 300, 2)
        y, x = random.integers(0, 427 - height), random.integers(0, 640 - width)
        place = top / "test" / ("china", "flower")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photograph[y : y + height, x : x + width]).save(place / f"{number}.png")
    return top


@pytest.fixture
def suite() -> Suite:
    """The folder's images as squares of 64 pixels, cut from 80."""
    shipped = load_suite("imagefolder")
    dataset = shipped.dataset.model_copy(update={"resize": 80})
    return shipped.model_copy(update={"image_size": 64, "dataset": dataset, "preset": "imagenet", "training": None})


@pytest.fixture
def network(tmp_path):
    """network(name) -> (name for lst-robust, file of its weights, timm's module in evaluation mode)."""

    def build(name: str):
        torch.manual_seed(0)
        module = timm.create_model(name, num_classes=2).eval()
        torch.save(module.state_dict(), tmp_path / f"{name}.pth")
        return f"timm:{name}", tmp_path / f"{name}.pth", module

    return build


def correct_by_a_plain_script(module: nn.Module, folder: Path) -> dict[Cell, list[bool]]:
    """timm's documented way: its transform, the corruption, its mean and std, the network."""
    config = resolve_model_data_config(module)
    transform = create_transform(**config, is_training=False, normalize=False)
    files = sorted((folder / "test").glob("*/*.png"))
    names = [f"{file.parent.name}/{file.name}" for file in files]
    labels = [file.parent.name == "flower" for file in files]
    squares = np.stack([transform(Image.open(file)).numpy().transpose(1, 2, 0) for file in files])
    cells = {CLEAN_CELL: squares}
    for corruption in CELLS["corruptions"]:
        cells[Cell(corruption, 3)] = lst_robust.corrupt(squares, corruption, 3, preset="imagenet", ids=names)
    mean, std = (torch.tensor(config[key]).view(3, 1, 1) for key in ("mean", "std"))
    right = {}
    for cell, images in cells.items():
        with torch.inference_mode():
            logits = module((torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - mean) / std)
        right[cell] = (logits.argmax(1).numpy() == labels).tolist()
    return right


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_with_its_own_preprocessing_is_right_about_the_same_images_as_in_a_plain_script(
    network, suite, folder, tmp_path, said, name
):
    model, weights, module = network(name)
    asked = {"data_dir": folder, "results_dir": tmp_path / "r", **CELLS}
    evaluation = lst_robust.evaluate(model, suite, checkpoint=weights, preprocess="model", **asked)
    bits = {cell: record.correct_bits().tolist() for cell, record in evaluation.records.items()}
    assert bits == correct_by_a_plain_script(module, folder)
    assert not said()
    run = evaluation.run
    assert (run.protocol.preprocess, run.protocol.geometry) == ("model", None)
    kind = {"test_resnet": "bilinear", "test_efficientnet": "bicubic"}[name]
    assert run.model.geometry.described() == f"shorter side to 168 ({kind}), centre 160 x 160"
    assert evaluation.records[CLEAN_CELL].provenance.transform.startswith(run.model.geometry.described())
    # The same module, brought by hand, states the same.
    again = lst_robust.evaluate(module, suite, preprocess="model", name="by-hand", **asked)
    assert again.run.model.geometry == run.model.geometry
    assert again.run.model.options == run.model.options
    assert [record.correct for record in again.records.values()] == [r.correct for r in evaluation.records.values()]


def test_the_suites_preprocessing_is_the_default_and_a_line_says_what_the_network_states(
    network, suite, folder, tmp_path, said
):
    model, weights, _ = network("test_efficientnet")
    asked = {"data_dir": folder, "results_dir": tmp_path / "r", "checkpoint": weights, **CELLS}
    evaluation = lst_robust.evaluate(model, suite, **asked)
    (line,) = [line for line in said() if "preprocessing" in line]
    assert "shorter side to 168 (bicubic), centre 160 x 160" in line and "--preprocess model" in line
    assert "shorter side to 80 (bilinear), centre 64 x 64" in line
    assert evaluation.run.protocol.preprocess == "suite" and evaluation.run.model.geometry is None
    own = lst_robust.evaluate(model, suite, preprocess="model", **asked)
    assert own.measured == 3 and own.run != evaluation.run


def test_tables_never_mix_the_two_and_networks_with_their_own_stand_together(network, suite, folder, tmp_path):
    for name in NETWORKS:
        model, weights, _ = network(name)
        for preprocess in ("suite", "model"):
            asked = {"data_dir": folder, "results_dir": tmp_path / "r", "checkpoint": weights, **CELLS}
            lst_robust.evaluate(model, suite, preprocess=preprocess, **asked)
    path = tmp_path / "suite.yaml"
    path.write_text(json.dumps(suite.model_dump(mode="json")))
    table = groups(robustness_table(collect_summaries(tmp_path / "r", str(path), "none")))
    assert sorted((group.protocol["preprocess"], len(group.frame)) for group in table) == [("model", 2), ("suite", 2)]
    with pytest.raises(LstRobustError, match="several runs that are of several protocols"):
        lst_robust.compare("timm:test_efficientnet", "timm:test_resnet", suite=str(path), results_dir=tmp_path / "r")


@pytest.mark.parametrize("preprocess", ["suite", "model"])
def test_a_suite_may_choose_it_and_an_argument_goes_before(network, suite, folder, tmp_path, preprocess):
    model, weights, _ = network("test_resnet")
    chosen = suite.model_copy(update={"preprocess": preprocess})
    asked = {"data_dir": folder, "results_dir": tmp_path / "r", "checkpoint": weights, **CELLS}
    assert lst_robust.evaluate(model, chosen, **asked).run.protocol.preprocess == preprocess
    assert lst_robust.evaluate(model, chosen, preprocess="suite", **asked).run.protocol.preprocess == "suite"


def test_a_network_that_states_nothing_is_refused_before_any_work(suite, folder, tmp_path):
    asked = {"data_dir": folder, "results_dir": tmp_path / "r", "preprocess": "model"}
    plain = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    ours = tmp_path / "ours.safetensors"
    save_checkpoint(lst_robust.create_model("timm:test_resnet", 2, image_size=64), ours, recipe={})
    for model, options in ((plain, {}), ("lst18", {}), ("timm:test_resnet", {"checkpoint": ours})):
        with pytest.raises(UsageError, match=r"states no preprocessing of its own.*--preprocess suite"):
            lst_robust.evaluate(model, suite, **asked, **options)


def test_images_of_one_size_cannot_be_cut_in_another_way(network, tmp_path):
    model, weights, _ = network("test_resnet")
    with pytest.raises(UsageError, match=r"digits/test has images of one size .*--preprocess suite"):
        lst_robust.evaluate(model, "digits-c", checkpoint=weights, preprocess="model", results_dir=tmp_path / "r")


@pytest.mark.parametrize(
    "stated",
    [
        {"input_size": (3, 64, 48)},
        {"input_size": (3, 64, 64), "crop_mode": "border"},
        {"input_size": (3, 64, 64), "crop_pct": 1.2},
        {"input_size": (3, 64, 64), "interpolation": "random"},
    ],
)
def test_what_cannot_be_applied_is_refused_by_name_and_no_hindrance_to_the_suites(suite, folder, tmp_path, stated):
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    model.pretrained_cfg = stated
    asked = {"data_dir": folder, "results_dir": tmp_path / "r", **CELLS}
    with pytest.raises(UsageError, match=r"Sequential states a preprocessing that cannot be applied here \(.*\)"):
        lst_robust.evaluate(model, suite, preprocess="model", **asked)
    assert lst_robust.evaluate(model, suite, **asked).measured == 3


def test_torchvision_states_it_for_each_of_its_weights():
    files = {"resnet50-0676ba61.pth": 256, "resnet50-11ad3fa6.pth": 232}
    names = {"IMAGENET1K_V1": 256, "IMAGENET1K_V2": 232, "DEFAULT": 232}
    for weights, resize in {**names, **files}.items():
        described = stated_geometry("torchvision:resnet50", weights).described()
        assert described == f"shorter side to {resize} (bilinear), centre 224 x 224", weights
    with pytest.raises(UsageError, match=r"mine.pth has not the name of one of their files, such as resnet50-11ad3fa6"):
        stated_geometry("torchvision:resnet50", "mine.pth")
    assert stated_geometry("torchvision:alexnet", "mine.pth").resize == 256  # all of its weights state the same
    assert stated_geometry("lst18") is None and stated_geometry("some/file.py:build") is None


def test_squashing_is_stated_and_done():
    geometry = stated_geometry("timm:coat_lite_medium_384")
    assert geometry is not None and geometry.size == 384 and geometry.crop == "squash"
