"""`lst-robust check` as a person and a CI use it: a network that was damaged does not pass."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
import yaml

from lst_robust import evaluate
from lst_robust.models import create_model
from lst_robust.models.checkpoint import read_metadata, save_checkpoint
from lst_robust.suites import suites_folder
from tests.fixtures.commands import PUBLISHED, parsed

ALEXNET = PUBLISHED / "alexnet.safetensors"


def damaged(source: Path, destination: Path, scale: float) -> Path:
    """A copy of an AlexNet's checkpoint with normal noise of `scale` standard deviations of each weight added to it."""
    metadata = {key: value for key, value in read_metadata(source).items() if key in ("classes", "train_seed")}
    model = create_model("alexnet", len(metadata["classes"]), checkpoint=source)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight += torch.randn(weight.shape, generator=generator) * scale * weight.std()
    return save_checkpoint(model, destination, **metadata)


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Path:
    """A folder with the results of the published AlexNet on 100 of the digits, and their suite."""
    folder = tmp_path_factory.mktemp("measured")
    data = yaml.safe_load((suites_folder() / "digits-c.yaml").read_text())
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(data | {"name": "small", "limit": 100}))
    evaluate("alexnet", path, checkpoint=ALEXNET, results_dir=folder / "results")
    return folder


@pytest.fixture
def gated(run, measured, tmp_path):
    """A baseline of these results in a folder of the test's own, and a call of `check` against it."""
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    written = run("baseline", "write", "-s", "small.yaml", "--model", "alexnet", "--out", "baseline.json")
    assert written.exit_code == 0 and written.stdout == "baseline.json\n"
    assert "96 cells, n 100" in written.stderr

    def check(*arguments: str):
        return run("check", "--baseline", "baseline.json", "-s", "small.yaml", *arguments)

    return check


def test_a_damaged_network_fails_the_gate_and_the_sound_one_passes(run, gated, tmp_path):
    sound = gated("--junit", "sound.xml", "--github")
    assert sound.exit_code == 0, sound.stderr
    assert "passed" in sound.stdout and "::notice" in sound.stdout
    checkpoint = damaged(ALEXNET, tmp_path / "damaged.safetensors", 1.0)
    evaluate("alexnet", "small.yaml", checkpoint=checkpoint, results_dir="new")
    failed = gated("--results-dir", "new", "--junit", "report/check.xml", "--github")
    assert failed.exit_code == 1
    (error,) = [line for line in failed.stderr.splitlines() if line.startswith("error:")]
    for corruption in ("fog", "brightness", "snow"):
        assert f"{corruption} +" in error
    assert "regression" in failed.stdout
    (annotation,) = [line for line in failed.stdout.splitlines() if line.startswith("::error title=")]
    assert "fog +" in annotation and "%25" in annotation
    report = ElementTree.parse("report/check.xml").getroot()
    assert report.get("failures") == "1" and "fog" in report.find(".//failure").text
    assert ElementTree.parse("sound.xml").getroot().get("failures") == "0"
    asked = ("--metric", "mean_corruption_error", "--tolerance", "90", "--json", "--github")
    tolerated = gated("--results-dir", "new", *asked)
    found = parsed(tolerated)
    assert found["passed"] and found["findings"][0]["corruptions"]["fog"] > 0
    assert "::notice" in tolerated.stderr
    comparison = run("compare", "alexnet", "alexnet", "-s", "small.yaml")
    assert comparison.exit_code == 2 and "same run" in comparison.stderr


def test_what_cannot_be_judged_does_not_pass(run, gated):
    none = gated("--results-dir", "nowhere")
    assert none.exit_code == 5 and "lst-robust eval" in none.stderr
    fewer = (
        "-m",
        "alexnet",
        "--checkpoint",
        str(ALEXNET),
        "-s",
        "small.yaml",
        "--limit",
        "10",
        "--results-dir",
        "fewer",
    )
    assert run("eval", *fewer).exit_code == 0
    other = gated("--results-dir", "fewer", "--json")
    assert other.exit_code == 3 and "n (100, 10)" in other.stderr
    assert json.loads(other.stdout)["findings"][0]["status"] == "incomparable"
    fewer = ("--corruptions", "contrast", "--severities", "1", "--results-dir", "two-cells")
    assert run("eval", "-m", "alexnet", "--checkpoint", str(ALEXNET), "-s", "small.yaml", *fewer).exit_code == 0
    missing = gated("--results-dir", "two-cells", "--junit", "check.xml", "--github")
    assert missing.exit_code == 3 and "94 cells of the baseline are not measured" in missing.stderr
    assert ElementTree.parse("check.xml").getroot().get("errors") == "1"
    assert "::error title=lst-robust incomparable" in missing.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--metric", "mce"], 2, "unknown metric 'mce'"),
        (["--tolerance", "-1"], 2, "tolerance is -1.0: give a finite number of at least 0"),
        (["--model", "lst18"], 5, "no entry of model 'lst18'"),
        (["--suite", "imagefolder"], 5, "no entry of suite 'imagefolder'"),
        (["--baseline", "missing.json"], 3, "lst-robust baseline write"),
    ],
)
def test_what_is_wrong_gets_one_line_and_its_code(gated, arguments, code, words):
    result = gated(*arguments)
    assert result.exit_code == code, result.stderr
    assert words in result.stderr and result.stderr.count("error:") == 1 and result.stdout == ""
