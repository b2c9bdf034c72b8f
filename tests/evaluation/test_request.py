"""A request: all that is asked for, checked before any work, whether it comes from Python or from a YAML file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

import lst_robust
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, Cell
from lst_robust.errors import UsageError
from lst_robust.evaluation.options import DEFAULTS, EvalOptions
from lst_robust.evaluation.request import EvalRequest, _model
from lst_robust.runtime.progress import Silent
from lst_robust.suites import load_suite
from tests.fixtures.commands import PUBLISHED


def test_all_96_cells_with_the_clean_one_first(suite, model):
    cells = EvalRequest.of(model, suite).cells()
    assert len(cells) == 96
    assert cells[0] == CLEAN_CELL
    assert {cell.corruption for cell in cells[1:]} == set(CORRUPTIONS)


def test_restricting_the_cells(suite, model):
    chosen = EvalRequest.of(model, suite, corruptions=["fog"], severities=[5, 1])
    assert chosen.cells() == [CLEAN_CELL, Cell("fog", 1), Cell("fog", 5)]
    for options, words in (
        ({"corruptions": ["fogg"]}, "did you mean fog"),
        ({"severities": [6]}, "from 1 to 5"),
        ({"corruptions": []}, "at least one"),
    ):
        with pytest.raises(UsageError, match=words):
            EvalRequest.of(model, suite, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "tpu9"}, "unknown device"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"workers": 0}, "workers is 0"),
        ({"limit": 0}, "limit"),
        ({"subset": 5000}, "subset is 5000: choose from .*robustbench-5k, or None"),
        ({"subset": "robustbench5k"}, "unknown subset 'robustbench5k'.* did you mean robustbench-5k"),
        ({"subset": "robustbench-5k"}, "choice of images of imagenet, not of digits: leave it out"),
        ({"severities": [9]}, "from 1 to 5"),
        ({"seed": -1}, "seed is -1"),
        ({"overwrite": "yes"}, "overwrite"),
        ({"preprocess": "mine"}, "preprocess"),
        ({"observer": object()}, "observer"),
        ({"checkpoint": "weights.pth"}, "the model is a network with its weights"),
        ({"train_seed": 1}, "the model is a network with its weights"),
        ({"model_options": {"tau": 1e-4}}, "the model is a network with its weights"),
    ],
)
def test_arguments_that_cannot_be_meant(suite, model, tmp_path, arguments, message):
    with pytest.raises(UsageError, match=message) as refused:
        lst_robust.evaluate(model, suite, **{"results_dir": tmp_path / "results"} | arguments)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "results").exists(), "refused before any work"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "mine"}, "the model has the name 'lst18'"),
        ({"model_options": {"image_size": 64}}, "image_size is set by the suite"),
        ({"model_options": {"depth": 3}}, "has no option 'depth'"),
        ({"checkpoint": PUBLISHED / "lst18.safetensors", "train_seed": 1}, "the weights that are given are trained"),
    ],
)
def test_arguments_of_a_named_model_that_contradict_each_other(suite, arguments, message):
    with pytest.raises(UsageError, match=message):
        EvalRequest.of("lst18", suite, **arguments)


def test_an_official_suite_draws_no_noise(model):
    with pytest.raises(UsageError, match="leave out the seed"):
        EvalRequest.of(model, "imagenet-c", seed=1)
    assert EvalRequest.of(model, "imagenet-c", seed=0).seed == 0


@pytest.mark.parametrize("name", ["digits-c", "imagenet-c-generated", "imagenet-c-jpeg"])
def test_a_suite_that_makes_its_images_takes_no_folder_of_corrupted_ones(model, name):
    with pytest.raises(UsageError, match=f"corrupted_dir is 'ImageNet-C': leave it out, for suite '{name}' makes its"):
        EvalRequest.of(model, name, corrupted_dir="ImageNet-C")
    assert EvalRequest.of(model, "imagenet-c", corrupted_dir="ImageNet-C").corrupted_dir == Path("ImageNet-C")


@pytest.mark.parametrize("model", [None, 3, "no-such-network", "x" * 300 + ".py:build"])
def test_what_is_no_model_is_refused(suite, model):
    with pytest.raises(UsageError):
        EvalRequest.of(model, suite)


def test_an_unknown_option_is_a_type_error_that_lists_the_options(suite, model):
    with pytest.raises(TypeError, match=r"an evaluation has no option 'corruption': it has checkpoint, .*corruptions"):
        lst_robust.evaluate(model, suite, corruption=["fog"])


def test_each_option_becomes_a_plain_value(suite, model):
    request = EvalRequest.of(
        model,
        suite,
        name=np.str_("mine"),
        limit=np.int64(8),
        severities=np.array([2]),
        results_dir="here",
        device=torch.device("cpu"),
        amp=np.True_,
        preprocess=None,
    )
    assert (type(request.name), type(request.limit), request.severities) == (str, int, (2,))
    assert (request.results_dir, request.device, request.amp) == (Path("here"), torch.device("cpu"), "yes")
    assert (request.preprocess, request.batch_size) == (suite.preprocess, suite.batch_size), "the suite decides"
    assert isinstance(request.observer, Silent)


def test_every_option_is_a_field_and_every_default_is_an_options(suite, model):
    options = set(EvalOptions.__annotations__)
    request = EvalRequest.of(model, suite)
    assert set(vars(request)) == options | {"model", "suite"}
    assert set(DEFAULTS) <= options


def test_the_suites_options_are_those_of_a_model_without_any(suite, caplog):
    chosen = suite.model_copy(update={"model_options": {"stem": "3x3s1"}})
    assert EvalRequest.of("resnet18", chosen).options == {"stem": "3x3s1"}
    assert EvalRequest.of("lst18", chosen, model_options={"tau": "1e-3"}).options == {"stem": "3x3s1", "tau": "1e-3"}
    assert EvalRequest.of("lst18", chosen, model_options={"stem": "7x7s2-pool"}).options == {"stem": "7x7s2-pool"}
    misspelt = suite.model_copy(update={"model_options": {"stme": "3x3s1"}})
    assert EvalRequest.of("resnet18", misspelt).options == {}
    assert "no network of this package has an option 'stme': did you mean stem?" in caplog.text


def test_the_folder_of_a_network_has_one_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lst_robust.evaluation.request.model_info", lambda name: None)  # nothing is looked for in it
    Path("net").mkdir()
    for source in ("hf", "timm:local-dir"):
        names = [_model(f"{source}:{folder}") for folder in ("net", "net/", "./net", "net//.")]
        assert names == [f"{source}:net"] * 4
    assert _model("hf:owner//name") == "hf:owner//name", "no folder"


def test_the_file_of_a_network_has_one_name(suite, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("def build(num_classes, image_size): ...\n")
    for name in ("./net.py:build", "net.py:build"):
        assert EvalRequest.of(name, suite).model == EvalRequest.of(name, suite).label == "net.py:build"
    assert EvalRequest.of(nn.Sequential(), suite).label == "Sequential"


@pytest.fixture
def yaml_file(tmp_path):
    """yaml_file(content) -> a file of it, text or data."""

    def write(content: object) -> Path:
        text = content if isinstance(content, str) else yaml.safe_dump(content)
        (tmp_path / "request.yaml").write_text(text)
        return tmp_path / "request.yaml"

    return write


def test_a_request_from_a_file_is_the_one_of_the_same_arguments(yaml_file):
    options = {
        "checkpoint": str(PUBLISHED / "alexnet.safetensors"),
        "corruptions": ["fog", "snow"],
        "severities": [1, 5],
        "limit": 40,
        "device": "cpu",
        "normaliser": None,
        "results_dir": "elsewhere",
    }
    expected = EvalRequest.of("alexnet", "digits-c", **options)
    read = EvalRequest.from_yaml(yaml_file({"model": "alexnet", "suite": "digits-c", **options}))
    assert {**vars(read), "observer": None} == {**vars(expected), "observer": None}
    assert EvalRequest.from_yaml(yaml_file({"model": "alexnet"})).suite == load_suite("digits-c"), "the default"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param({"suite": "digits-c"}, "expected keys and values, one of them model", id="no model"),
        pytest.param(["alexnet"], "expected keys and values, one of them model", id="a list"),
        pytest.param("alexnet", "expected keys and values, one of them model", id="a text"),
        pytest.param("", "expected keys and values, one of them model", id="nothing"),
        pytest.param({"model": "alexnet", "corruption": ["fog"]}, "corruption: unknown key, choose from", id="a key"),
        pytest.param({"model": "alexnet", 1: 2, "x": 3}, "1: unknown key, choose from", id="keys of two types"),
        pytest.param({"model": "alexnet", "observer": 1}, "observer: unknown key", id="an observer"),
        pytest.param({"model": "alexnet", "limit": "many"}, "limit is 'many'", id="a value"),
        pytest.param({"model": "alexnet", "suite": "no-such"}, "no-such", id="a suite"),
        pytest.param("model: [", "request.yaml", id="not YAML"),
    ],
)
def test_a_file_that_is_no_request_is_refused_in_one_line(yaml_file, content, message):
    with pytest.raises(UsageError) as refused:
        EvalRequest.from_yaml(yaml_file(content))
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"none\.yaml"):
        EvalRequest.from_yaml(tmp_path / "none.yaml")
