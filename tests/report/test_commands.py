"""The commands on a network's page are those that make it again."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace

import pytest
import torch

from lst_robust.models import checkpoint_sha256, create_model
from lst_robust.models.checkpoint import save_checkpoint
from lst_robust.report.commands import evaluation_commands, table_command, training_commands
from lst_robust.report.request import ReportRequest
from tests.analysis.simulated import with_identity


def test_a_command_for_each_training(measured, tmp_path):
    evaluation = f"lst-robust eval -m lst20 -s digits-c --checkpoint CHECKPOINT --limit 40 --results-dir {tmp_path}"
    assert evaluation_commands(measured.networks[0], tmp_path) == [evaluation] * 2
    assert training_commands(measured.networks[0], tmp_path) == []  # nobody knows by which recipe
    asked = ReportRequest.of(results_dir=tmp_path / "a b")
    assert table_command(measured, asked) == f"lst-robust table --suite digits-c --results-dir '{tmp_path}/a b'"
    assert table_command(measured, ReportRequest.of(normaliser=None)) == (
        "lst-robust table --suite digits-c --normaliser none"
    )


def test_the_checkpoint_is_found_by_its_hash(measured, tmp_path):
    torch.manual_seed(0)
    file = tmp_path / "digits-c" / "checkpoints" / "alexnet-seed0-1.safetensors"
    save_checkpoint(create_model("alexnet", 10, image_size=32), file)
    shutil.copy(file, file.with_name("alexnet-seed1-2.safetensors"))
    network = measured.networks[2]
    known = with_identity(network.runs[0], checkpoint_sha256=checkpoint_sha256(file))
    (command,) = evaluation_commands(replace(network, runs=(known,)), tmp_path)
    assert f"--checkpoint {file} " in command


def test_what_differs_from_the_suite_is_stated(measured, tmp_path):
    network = measured.networks[2]
    (run,) = network.runs
    cells = {cell: record for cell, record in run.records.items() if cell.name in ("clean", "snow-3", "fog-1", "fog-3")}
    fields = {"seed": 7, "subset": "robustbench-5k", "preprocess": "model", "engine": "lst-robust-torch 1"}
    changed = run.run.protocol.model_copy(update=fields)
    other = with_identity(
        run._replace(run=run.run._replace(protocol=changed), records=cells), options={"stem": "3x3s1"}
    )
    (command,) = evaluation_commands(replace(network, runs=(other,)), tmp_path)
    words = shlex.split(command)
    assert {"--corruptions", "snow,fog", "--severities", "1,3", "--seed", "7", "--set", "stem=3x3s1"} <= set(words)
    assert {"--subset", "robustbench-5k", "--preprocess", "model", "--engine", "torch"} <= set(words)


@pytest.mark.parametrize(
    ("name", "options", "has"),
    [("timm:resnet18", {"weights": "pretrained"}, False), ("timm:resnet18", {}, True), ("hf:a/b", {}, False)],
)
def test_weights_of_a_library_need_no_checkpoint(measured, tmp_path, name, options, has):
    network = measured.networks[2]
    identity = network.runs[0].run.model.model_copy(update={"name": name, "options": options})
    run = network.runs[0]._replace(run=network.runs[0].run._replace(model=identity))
    (command,) = evaluation_commands(replace(network, runs=(run,)), tmp_path)
    assert ("--checkpoint" in command) == has
    assert ("--set weights=pretrained" in command) == bool(options)


@pytest.mark.parametrize(
    ("change", "words"), [({}, []), ({"lr": 0.02}, ["--lr", "0.02"]), ({"optimizer": "adam"}, None)]
)
def test_the_training_is_that_of_the_checkpoints_recipe(measured, tmp_path, change, words):
    network = measured.networks[0]
    recipe = network.runs[0].suite.training.model_dump(mode="json") | {"seed": 1} | change
    file = tmp_path / "digits-c" / "checkpoints" / "lst20-seed1-1.safetensors"
    save_checkpoint(create_model("lst20", 10, image_size=32), file, recipe=recipe, train_seed=1)
    known = with_identity(network.runs[1], checkpoint_sha256=checkpoint_sha256(file))
    found = training_commands(replace(network, runs=(network.runs[0], known)), tmp_path)
    if words is None:
        assert found == []
    else:
        expected = ["lst-robust", "train", "-m", "lst20", "-s", "digits-c", "--seed", "1", *words]
        assert [shlex.split(command) for command in found] == [[*expected, "--results-dir", str(tmp_path)]]
