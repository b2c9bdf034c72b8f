"""Every command of the README runs, on a tiny suite where the real one takes minutes."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from lst_robust.cli.app import app

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
BASH = [block for kind, block in BLOCKS if kind == "bash"]
PYTHON = [block for kind, block in BLOCKS if kind == "python"]
INSTALLING = {"make eval", "make test", "pip install -e '.[test]'"}  # what runs this test has done it, or does it


def commands(block: str) -> list[str]:
    return [line.split("  #")[0].strip() for line in block.splitlines() if line.strip() and not line.startswith("#")]


RUNNABLE = [
    command
    for block in BASH
    if not block.startswith("# needs data")
    for command in commands(block)
    if command.split("   #")[0] not in INSTALLING
]


def test_the_readme_opens_with_the_two_commands_and_then_pip():
    assert [command.split("   ")[0] for command in commands(BASH[0])] == ["make eval", "make test"]
    assert commands(BASH[1])[0] == "pip install -e '.[test]'"
    makefile = (ROOT / "Makefile").read_text()
    assert "\neval:" in makefile and "\ntest:" in makefile


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    """One folder for all commands, so that the table finds what the evaluations wrote."""
    folder = tmp_path_factory.mktemp("readme")
    Image.new("RGB", (64, 48), (200, 120, 40)).save(folder / "photograph.jpg")
    return folder


@pytest.mark.parametrize("command", RUNNABLE)
def test_command(command, workspace, tiny, monkeypatch):
    name, *arguments = shlex.split(command)
    assert name == "lst-robust"
    suite = workspace / "tiny.yaml"
    if not suite.exists():
        suite.write_text(tiny.read_text())
    monkeypatch.chdir(workspace)
    if arguments[0] in ("eval", "train", "table", "report", "compare", "baseline", "check"):
        monkeypatch.setenv("LST_ROBUST_SUITE", str(suite))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("block", PYTHON)
def test_python_block(block, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "published").symlink_to(ROOT / "results" / "published")
    subprocess.run([sys.executable, "-c", block], cwd=tmp_path, check=True)


def test_the_commands_that_corrupt_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my-images/val/a").mkdir(parents=True)
    Image.new("RGB", (64, 48), (200, 120, 40)).save("my-images/val/a/1.png")
    monkeypatch.setenv("LST_ROBUST_CORRUPTIONS", "contrast")
    corrupting = [shlex.split(line)[1:] for block in BASH for line in commands(block) if "my-images-c" in line]
    assert len(corrupting) == 2
    for arguments in corrupting:
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output


def test_commands_that_need_data_are_marked():
    marked = [command for block in BASH if block.startswith("# needs data") for command in commands(block)]
    assert marked
    assert not any("my-images" in command for command in RUNNABLE)
