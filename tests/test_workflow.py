"""An evaluation as a whole: what it gives back, and the weights that it finds or trains on its way."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import lst_robust
from lst_robust import workflow
from lst_robust.benchmark import CORRUPTIONS
from lst_robust.errors import CheckpointError, DataError, NothingToEvaluateError, UsageError
from lst_robust.evaluation.request import EvalRequest
from lst_robust.records import stored
from lst_robust.suites import Suite, load_suite
from lst_robust.workflow import run_request, run_requests, with_weights
from tests.fixtures.commands import PUBLISHED

ASKED = {"corruptions": ["contrast"], "severities": [2]}


@pytest.fixture
def trainable(tiny) -> Suite:
    """digits-c on 20 images, with a recipe of two steps."""
    return load_suite(tiny)


@pytest.fixture
def trained(monkeypatch) -> list[Path]:
    """The checkpoints that are trained, in order."""
    checkpoints = []
    ensure_trained = workflow.ensure_trained

    def counted(training, checkpoint, resources):
        checkpoints.append(checkpoint)
        return ensure_trained(training, checkpoint, resources)

    monkeypatch.setattr(workflow, "ensure_trained", counted)
    return checkpoints


def test_a_model_is_trained_once_and_then_found(trainable, trained, tmp_path, caplog):
    caplog.set_level("INFO", "lst_robust")
    first = lst_robust.evaluate("alexnet", trainable, results_dir=tmp_path, **ASKED)
    [checkpoint] = trained
    assert checkpoint.is_file() and checkpoint.parent == tmp_path / "tiny" / "checkpoints"
    [line] = [line for line in caplog.messages if "training it first" in line]
    assert line == "alexnet has no checkpoint for tiny yet: training it first (1297 images, 1 epochs, once)"
    assert first.run.model.train_seed == 0
    again = lst_robust.evaluate("alexnet", trainable, results_dir=tmp_path, **ASKED)
    assert (again.measured, again.run, len(trained)) == (0, first.run, 1)
    given = lst_robust.evaluate("alexnet", trainable, checkpoint=checkpoint, results_dir=tmp_path, **ASKED)
    assert (given.measured, given.run) == (0, first.run), "it is the same network"


def test_another_seed_is_another_training(trainable, trained, tmp_path):
    runs = [
        lst_robust.evaluate("alexnet", trainable, train_seed=seed, results_dir=tmp_path, **ASKED).run for seed in (0, 1)
    ]
    assert [run.model.train_seed for run in runs] == [0, 1] and len(set(trained)) == 2


def test_without_train_nothing_is_trained_and_a_line_says_what_to_do(trainable, trained, tmp_path):
    with pytest.raises(CheckpointError, match=r"alexnet has no checkpoint trained for suite 'tiny' in .*--train"):
        lst_robust.evaluate("alexnet", trainable, train=False, results_dir=tmp_path, **ASKED)
    assert not trained and not list(tmp_path.rglob("*.safetensors"))
    lst_robust.evaluate("alexnet", trainable, results_dir=tmp_path, **ASKED)
    found = with_weights(EvalRequest.of("alexnet", trainable, train=False, results_dir=tmp_path))
    assert found.checkpoint == trained[0]


FILE_NETWORK = """
import torch
from torch import nn

def build(num_classes, image_size, weights=None):
    network = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, num_classes))
    {load}
    return network
"""


def test_weights_that_ones_own_function_loads_are_not_trained_unasked(trainable, trained, tmp_path):
    """Else the network that is measured would be another one than the function returns."""
    torch.save(nn.Linear(48, 10).state_dict(), tmp_path / "weights.pth")
    (tmp_path / "net.py").write_text(
        FILE_NETWORK.format(load=f"network[2].load_state_dict(torch.load({str(tmp_path / 'weights.pth')!r}))")
    )
    asked = {"results_dir": tmp_path, **ASKED}
    with pytest.raises(UsageError, match=r"net\.py:build has the same weights each time.*--set weights=NAME"):
        lst_robust.evaluate(f"{tmp_path}/net.py:build", trainable, **asked)
    assert not trained
    measured = lst_robust.evaluate(f"{tmp_path}/net.py:build", trainable, model_options={"weights": "own"}, **asked)
    assert measured.measured == 2 and measured.run.model.train_seed is None


def test_a_network_of_ones_own_function_without_weights_is_trained(trainable, trained, tmp_path):
    (tmp_path / "net.py").write_text(FILE_NETWORK.format(load="pass"))
    measured = lst_robust.evaluate(f"{tmp_path}/net.py:build", trainable, results_dir=tmp_path, **ASKED)
    assert len(trained) == 1 and measured.run.model.train_seed == 0


def test_a_network_whose_file_has_changed_does_not_get_the_weights_of_the_old_one(trainable, trained, tmp_path):
    file, asked = tmp_path / "net.py", {"results_dir": tmp_path, **ASKED}
    file.write_text(FILE_NETWORK.format(load="pass"))
    lst_robust.evaluate(f"{file}:build", trainable, **asked)
    file.write_text(FILE_NETWORK.format(load="network.insert(0, nn.ReLU())"))
    with pytest.raises(CheckpointError, match=r"the network's file was .* train --overwrite, or .* with --checkpoint"):
        lst_robust.evaluate(f"{file}:build", trainable, **asked)
    assert len(trained) == 1


def test_requests_that_see_other_images_are_not_measured_together(suite, model, tmp_path):
    first = EvalRequest.of(model, suite, results_dir=tmp_path, limit=20)
    for changes in ({"limit": 10}, {"seed": 5}, {"results_dir": tmp_path / "other"}, {"suite": "imagefolder"}):
        asked = {"suite": suite, "results_dir": tmp_path, "limit": 20} | changes
        with pytest.raises(UsageError, match=rf"requests\[1\] has another {next(iter(changes))} than the first one"):
            run_requests([first, EvalRequest.of(model, **asked)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", ["lst18", ["lst18"], None])
def test_what_is_no_request_is_refused(given):
    with pytest.raises(UsageError, match="requests"):
        run_requests(given)
    with pytest.raises(NothingToEvaluateError, match="no network to evaluate"):
        run_requests([])


def test_a_suite_without_a_recipe_says_so(suite, tmp_path):
    with pytest.raises(UsageError, match="suite 'digits-c' has no training recipe"):
        lst_robust.evaluate("alexnet", suite, results_dir=tmp_path)


def test_a_request_with_weights_stays_as_it_is(trainable, model, tmp_path):
    for network, options in (
        (model, {}),
        ("alexnet", {"checkpoint": PUBLISHED / "alexnet.safetensors"}),
        ("torchvision:resnet18", {"model_options": {"weights": "DEFAULT"}}),
    ):
        request = EvalRequest.of(network, trainable, results_dir=tmp_path, **options)
        assert with_weights(request) is request


def test_nothing_is_trained_before_the_test_images_are_there(trainable, trained, draw_images, tmp_path):
    folder = draw_images(0)
    suite = load_suite("imagefolder")
    (folder / "test").rename(folder / "train")
    with pytest.raises(DataError, match="test"):
        lst_robust.evaluate("alexnet", suite, data_dir=folder, results_dir=tmp_path / "r")
    assert not trained


def test_classes_for_training_must_be_those_for_testing(trainable, trained, tmp_path, monkeypatch):
    planned = workflow.plan_training

    def of_other_classes(*arguments, **options):
        training = planned(*arguments, **options)
        training.source.classes = ("zero", *training.source.classes[1:])
        return training

    monkeypatch.setattr(workflow, "plan_training", of_other_classes)
    with pytest.raises(
        DataError, match=r"training \(zero, 1, 2 and 7 more\) are not those for testing \(0, 1, 2 and 7 more\)"
    ):
        lst_robust.evaluate("alexnet", trainable, results_dir=tmp_path)
    assert not trained


def test_a_folder_that_cannot_be_written_is_refused_before_any_training(trainable, trained, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is not writable"):
        lst_robust.evaluate("alexnet", trainable, results_dir=tmp_path / "file")
    assert not trained


def test_only_the_workflow_trains():
    """The package that measures imports nothing that trains, so that a plan is measured without it."""
    code = (
        "import pkgutil, importlib, sys, lst_robust.evaluation as package\n"
        "for found in pkgutil.walk_packages(package.__path__, 'lst_robust.evaluation.'):\n"
        "    importlib.import_module(found.name)\n"
        "assert 'lst_robust.evaluation.measure' in sys.modules\n"
        "print(*(name for name in sys.modules if name.startswith(('lst_robust.training', 'lst_robust.workflow'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_images_that_were_left_out_are_named(draw_images, tmp_path):
    folder = draw_images(0)
    (folder / "test" / "cat" / "0.png").write_bytes(b"no image")
    suite = load_suite("imagefolder").model_copy(update={"training": None})
    network = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(192, 2))
    asked = {"data_dir": folder, "results_dir": tmp_path / "r", **ASKED}
    with pytest.raises(DataError, match="1 of 12 images"):
        lst_robust.evaluate(network, suite, **asked)
    evaluation = lst_robust.evaluate(network, suite, skip_unreadable=True, **asked)
    assert evaluation.skipped_images == ("cat/0.png",) and evaluation.run.protocol.n == 11


def test_a_single_evaluation_needs_the_results_folder_no_more(suite, model, tmp_path):
    evaluation = lst_robust.evaluate(model, suite, results_dir=tmp_path / "own", **ASKED)
    summary = evaluation.summary().to_dict()
    shutil.rmtree(tmp_path / "own")
    stored._EVALUATIONS._kept.clear()  # as after some other evaluations
    assert evaluation.summary().to_dict() == summary


def test_a_request_that_is_run_is_the_evaluation_of_its_arguments(suite, model, tmp_path):
    request = EvalRequest.of(model, suite, results_dir=tmp_path, normaliser="alexnet-imagenet-c", **ASKED)
    evaluation = run_request(request)
    assert (evaluation.measured, evaluation.normaliser.name) == (2, "alexnet-imagenet-c")
    again = lst_robust.evaluate(model, suite, results_dir=tmp_path, normaliser="alexnet-imagenet-c", **ASKED)
    assert again == dataclasses.replace(evaluation, measured=0)


def test_a_request_from_a_file_is_evaluated(tmp_path):
    file = tmp_path / "request.yaml"
    file.write_text(
        f"model: alexnet\ncheckpoint: {PUBLISHED / 'alexnet.safetensors'}\ncorruptions: [contrast]\n"
        f"severities: [2]\nlimit: 10\nresults_dir: {tmp_path / 'r'}\n"
    )
    evaluation = run_request(EvalRequest.from_yaml(file))
    assert evaluation.measured == 2 and evaluation.run.protocol.n == 10


def test_the_callers_network_stays_as_it_is(suite, tmp_path):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network.append(nn.Linear(4, 10)).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    lst_robust.evaluate(network, suite, results_dir=tmp_path, **ASKED)
    assert network.training and all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_summary_has_every_documented_key(suite, model, tmp_path):
    result = lst_robust.evaluate(model, suite, results_dir=tmp_path, name="dark")
    summary = result.summary()
    promised = "model suite suite_version protocol preset engine n seed normaliser clean_error mean_corruption_error"
    assert set(promised.split()) | {"mce15", "mce19", "relative_mce", "ce", "errors"} <= set(summary.to_dict())
    assert summary.normaliser is None
    assert summary.metrics["mce15"] is None
    assert set(summary.errors) == set(CORRUPTIONS)
    assert all(len(row) == 5 and None not in row for row in summary.errors.values())
    against = dataclasses.replace(result, normaliser=lst_robust.published_normaliser()).summary()
    assert against.normaliser == "alexnet-imagenet-c"
    assert against.metrics["mce19"] == pytest.approx(sum(against.ce.values()) / 19)
