"""`lst-robust eval` with several models: lists, documents, failures, and being killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_eval import assert_kills_lose_nothing
from tests.fixtures.commands import PUBLISHED, parsed

NET = """
import torch
from torch import nn

class Mean(nn.Module):
    def __init__(self, seed, classes=10):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(classes, 3 * 64, generator=generator))

    def forward(self, x):
        return nn.functional.adaptive_avg_pool2d(x, 8).flatten(1) @ self.weight.T

class Breaking(Mean):
    def forward(self, x):
        print("hello from forward")
        if len(x) > 4:
            raise RuntimeError("no kernel for this")
        return super().forward(x)

def one(num_classes, image_size, weights=""):
    return Mean(1, num_classes)

def two(num_classes, image_size, weights=""):
    return Mean(2)

def breaking(num_classes, image_size, weights=""):
    return Breaking(3)
"""
WEIGHTS = ("--set", "weights=inside")
CELLS = ("--corruptions", "contrast,fog", "--severities", "1,5")


@pytest.fixture
def nets(run, tmp_path) -> Path:
    """nets.txt with an AlexNet, and net.py with networks that have their weights."""
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "nets.txt").write_text(f"alexnet checkpoint={PUBLISHED / 'alexnet.safetensors'}\nnet.py:one\n")
    return tmp_path / "nets.txt"


def test_a_dry_run_lists_the_models_and_writes_nothing(run, nets):
    asked = ("eval", "-m", "@nets.txt", "-m", "lst*", "-m", "net.py:two", *CELLS, "--dry-run")
    listed = run(*asked)
    assert listed.exit_code == 0, listed.stderr
    assert "net.py:two" in listed.stdout and "lst18" in listed.stdout and "5 cells each, of digits-c" in listed.stdout
    document = parsed(run(*asked, "--json"))
    assert [entry["model"] for entry in document[:2]] == ["alexnet", "net.py:one"]
    assert document[0]["checkpoint"].endswith("alexnet.safetensors") and document[-1]["cells"] == 5
    assert not Path("results").exists()


def test_several_models_make_a_list_and_a_table(run, nets, tiny):
    asked = ("eval", "-m", "@nets.txt", "-m", "net.py:two", *WEIGHTS, "-s", str(tiny), *CELLS)
    document = parsed(run(*asked, "--json"))
    assert [entry["model"] for entry in document] == ["alexnet", "net.py:one", "net.py:two"]
    shown = run(*asked)
    assert shown.exit_code == 0 and all(name in shown.stdout for name in ("alexnet", "net.py:one", "net.py:two"))
    assert "0 of" not in shown.stderr, "nothing is measured a second time"
    for entry in document[1:]:
        alone = parsed(
            run("eval", "-m", entry["model"], *WEIGHTS, "-s", str(tiny), *CELLS, "--json", "--results-dir", "alone")
        )
        assert alone == entry
    one = parsed(run("eval", "-m", "alexne?", "--set", "stem=3x3s2-pool", "-s", str(tiny), *CELLS, "--json"))
    assert [entry["model"] for entry in one] == ["alexnet"], "a pattern makes a list, however many it means"


def test_models_that_fail_are_named_and_the_others_go_on(run, nets, tiny):
    asked = ("-m", "net.py:one", "-m", "net.py:breaking", "-m", "net.py:missing", *WEIGHTS, "-s", str(tiny))
    result = run("eval", *asked, *CELLS, "--json")
    assert result.exit_code == 3
    assert [entry["model"] for entry in json.loads(result.stdout)] == ["net.py:one"]
    assert "error: net.py:missing failed (AttributeError" in result.stderr, "its name is there once"
    assert "hello from forward" in result.stderr
    assert "net.py:breaking failed: RuntimeError: no kernel for this" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-m", "lst18", "-m", "lst18"], 2, "lst18 is named twice"),
        (["-m", "lst18", "-m", "lst81"], 2, "did you mean lst18"),
        (["-m", "resnot*"], 2, "no network matches 'resnot*'"),
        (["-m", "@nowhere.txt"], 2, "there is no file nowhere.txt of networks"),
        (["-m", "lst18", "-m", "alexnet", "--checkpoint", "a.pth"], 2, "in a file of networks"),
        (["-m", "lst18", "-m", "alexnet", "--set", "colour=red"], 2, "none of the 2 networks has an option 'colour'"),
        (["-m", "lst18", "-m", "alexnet", "--write-normaliser", "n.yaml"], 2, "takes the errors of one model"),
        (["-m", "lst18", "-m", "alexnet", "-s", "imagefolder"], 2, "--data-dir"),
        (["-m", "lst18", "-m", "alexnet", "-s", "imagefolder", "--data-dir", "nowhere"], 3, "nowhere"),
    ],
)
def test_what_is_wrong_with_all_gets_one_line_and_its_code(run, arguments, code, words):
    result = run("eval", *arguments)
    assert result.exit_code == code, result.stderr
    assert words in result.stderr and result.stderr.count("error:") == 1 and result.stdout == ""


def test_a_network_for_other_classes_is_named_and_the_others_go_on(run, nets, draw_images, tmp_path):
    """The AlexNet of digits on images of cats and dogs."""
    draw_images(1)
    asked = ("-m", "@nets.txt", *WEIGHTS, "-s", "imagefolder", "--data-dir", str(tmp_path / "images"), *CELLS, "--json")
    result = run("eval", *asked)
    assert result.exit_code == 3
    assert [entry["model"] for entry in json.loads(result.stdout)] == ["net.py:one"]
    [line] = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert "alexnet failed" in line and "trained for 10 classes" in line and "has 2 (cat, dog)" in line


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_with_the_same_numbers(nets, tiny, tmp_path):
    three = ("-m", "@nets.txt", "-m", "net.py:two", *WEIGHTS)
    assert_kills_lose_nothing(("eval", *three, "--suite", str(tiny), "--json", "--results-dir"), 3 * 96, tmp_path)
