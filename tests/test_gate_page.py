"""The page docs/gate.md: its commands write a baseline, and the steps of its workflow hold networks against it, run one
after the other as GitHub would run them."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from lst_robust.benchmark import CORRUPTIONS
from tests.fixtures.commands import PUBLISHED
from tests.fixtures.pages import blocks

PAGE = "docs/gate.md"
(WORKFLOW,) = (yaml.safe_load(block.text) for block in blocks("yaml", page=PAGE))
(WRITING,) = (block.commands() for block in blocks("bash", page=PAGE))
STEPS = WORKFLOW["jobs"]["gate"]["steps"]
FEW = {"LST_ROBUST_LIMIT": "10"}  # images; the page's workflow takes all 500


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """A user's repository with the network's weights, and the baseline that the page's commands have written."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "weights").mkdir()
    (folder / "weights" / "alexnet.safetensors").symlink_to(PUBLISHED / "alexnet.safetensors")
    program = folder / "bin" / "lst-robust"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lst_robust "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    for words in WRITING:
        if words[0] == "lst-robust":
            done = step(folder, " ".join(words))
            assert done.returncode == 0, done.stderr
    return folder


def step(folder: Path, script: str) -> subprocess.CompletedProcess:
    """One `run:` of a job, in bash as GitHub calls it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LST_ROBUST_")}
    kept = {"LST_ROBUST_CACHE_DIR": os.environ["LST_ROBUST_CACHE_DIR"], "GITHUB_ACTIONS": "true", "CI": "true"}
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env=environment | kept | FEW | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def job(folder: Path) -> subprocess.CompletedProcess:
    """The steps after the installation, up to the first that fails; the last one that ran."""
    scripts = [one["run"] for one in STEPS if "run" in one]
    assert re.fullmatch(r'pip install "\$LST_ROBUST"', scripts[0]) and len(scripts) == 3
    done = step(folder, scripts[1])
    assert done.returncode == 0, done.stderr
    return step(folder, scripts[2])


def fresh_checkout(repository: Path, tmp_path: Path) -> Path:
    """What a pull request brings along: no results, the committed baseline and weights."""
    for name in ("weights", "bin", "baseline.json"):
        target = (repository / name).resolve()
        (tmp_path / name).symlink_to(target, target_is_directory=target.is_dir())
    return tmp_path


@pytest.mark.slow
def test_the_workflow_passes_the_network_of_the_baseline(repository, tmp_path):
    folder = fresh_checkout(repository, tmp_path)
    done = job(folder)
    assert done.returncode == 0, done.stderr
    assert ElementTree.parse(folder / "check.xml").getroot().find(".//failure") is None


@pytest.mark.slow
def test_the_workflow_stops_a_worse_network_and_names_the_corruptions(repository, tmp_path):
    folder = fresh_checkout(repository, tmp_path)
    (folder / "weights").unlink()
    (folder / "weights").mkdir()
    weights = load_file(PUBLISHED / "alexnet.safetensors")
    noise = torch.Generator().manual_seed(0)
    worse = {
        name: value + 3 * value.float().std() * torch.randn(value.shape, generator=noise).to(value.dtype)
        if value.is_floating_point() and value.ndim > 1
        else value
        for name, value in weights.items()
    }
    save_file(worse, folder / "weights" / "alexnet.safetensors", metadata=header(PUBLISHED / "alexnet.safetensors"))
    done = job(folder)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "::error" in done.stdout + done.stderr, "an annotation of the pull request"
    said = ElementTree.tostring(ElementTree.parse(folder / "check.xml").getroot(), encoding="unicode")
    assert "failure" in said and re.search(rf"\b({'|'.join(CORRUPTIONS)}) \+\d", said), "which corruptions are worse"


def header(checkpoint: Path) -> dict[str, str]:
    """The notes in the head of a file of safetensors: without them these weights would be those of another training."""
    content = checkpoint.read_bytes()
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]).get("__metadata__", {})


def test_the_exit_codes_of_the_page_are_those_of_the_help(run):
    shown = run("check", "--help").stdout
    for code in re.findall(r"^\| (\d) \|", (Path(__file__).parents[1] / PAGE).read_text(), re.MULTILINE):
        assert code == "0" or re.search(rf"\b{code}\b", shown), code


def test_the_workflow_is_one_that_github_takes():
    assert WORKFLOW[True] == ["pull_request"], "YAML reads `on` as true"
    for one in STEPS:
        assert ("run" in one) != ("uses" in one)
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", one.get("uses", "actions/checkout@v4"))
