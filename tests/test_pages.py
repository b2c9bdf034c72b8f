"""Every bash and python block of README.md and docs/ runs here, runs in the test that `TRIED_BY` names, or says in its
first line what it needs that does not come with the package. Those of docs/
run with -m slow, and so do those of README.md that take long."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from lst_robust.cli.app import app
from lst_robust.suites import load_suite, suites_folder
from tests.fixtures.pages import NEEDS, PAGES, ROOT, Block, blocks

TRIED_BY = {
    "docs/published.md": "tests/cli/test_table.py",
    "docs/report.md": "tests/test_report_page.py",
    "docs/gate.md": "tests/test_gate_page.py",
    "docs/adding/corruption.md": "tests/test_adding.py",
    "docs/adding/dataset.md": "tests/data/test_page.py",
    "docs/adding/metric.md": "tests/analysis/test_metrics.py",
    "docs/adding/network.md": "tests/test_adding.py",
}
"""Pages with tests of their own, which run all their blocks."""
NO_PROGRAM_OF_OURS = {
    "make": "what runs this test has made the environment",
    "pip": "and has installed the package",
    "git": "commits the user's files",
}
BEFORE = {
    "docs/numbers.md": [["eval", "--model", "lst18"], ["eval", "--model", "resnet18"]],  # two networks to compare
}
NETWORK = """
import torch

def build(num_classes, image_size):
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * image_size * image_size, num_classes))
"""
OURS = [block for block in blocks("bash", "python") if block.page not in TRIED_BY]


def marked(kind: str) -> list:
    """The blocks of that language that run here. Without -m slow only those of README.md that take no time."""

    def marks(block: Block) -> list[pytest.MarkDecorator]:
        return [pytest.mark.slow] if block.takes or block.page != "README.md" else []

    return [
        pytest.param(block, id=f"{block.page}-{block.number}", marks=marks(block))
        for block in OURS
        if block.language == kind and not block.needs
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with the files that the pages name, for all pages: later ones find what earlier ones made."""
    folder = tmp_path_factory.mktemp("pages")
    photograph = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(photograph).save(folder / "photograph.jpg")
    for split in ("train", "val"):
        for name in ("cat", "dog"):
            (folder / "my-images" / split / name).mkdir(parents=True)
            Image.fromarray(photograph).save(folder / "my-images" / split / name / "1.png")
    (folder / "net.py").write_text(NETWORK)
    suite = yaml.safe_load((suites_folder() / "digits-c.yaml").read_text()) | {"limit": 20, "batch_size": 20}
    suite["name"] = "tiny"
    suite["training"] |= {"epochs": 1, "max_steps": 2, "batch_size": 16}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(suite))
    (my_suite,) = (block.text for block in blocks("yaml", page="docs/suites.md"))
    (folder / "my-suite.yaml").write_text(my_suite)
    return folder


@pytest.fixture
def call(place, monkeypatch):
    """call(words of a command) runs it in the shared folder. A tiny suite stands for digits-c, as the default too."""
    monkeypatch.chdir(place)
    for name in [name for name in os.environ if name.startswith("LST_ROBUST_") and name != "LST_ROBUST_CACHE_DIR"]:
        monkeypatch.delenv(name)

    def run(words: list[str]) -> None:
        environment = (
            {} if words[0] in ("models", "corrupt", "suites", "engines") else {"LST_ROBUST_SUITE": "tiny.yaml"}
        )
        words = ["tiny.yaml" if word == "digits-c" else word for word in words]
        result = CliRunner().invoke(app, words, env=environment)
        assert result.exit_code == 0, (words, result.output)

    return run


@pytest.mark.parametrize("block", marked("bash"))
def test_a_bash_block_runs(block: Block, call):
    for words in BEFORE.get(block.page, []):
        call(words)
    for program, *words in block.commands():
        if program not in NO_PROGRAM_OF_OURS:
            assert program == "lst-robust"
            call(words)


@pytest.mark.parametrize("block", marked("python"))
def test_a_python_block_runs(block: Block, tmp_path):
    done = subprocess.run([sys.executable, "-c", block.text], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", ["docs/evaluate.md", "docs/suites.md"])
def test_a_suite_on_a_page_is_one(page, tmp_path):
    (block,) = blocks("yaml", page=page)
    (tmp_path / "suite.yaml").write_text(block.text)
    suite, base = load_suite(tmp_path / "suite.yaml"), yaml.safe_load(block.text)["extends"]
    assert suite.image_size != load_suite(base).image_size


def test_every_block_that_is_not_run_says_what_it_needs():
    for block in OURS:
        if block.needs is not None:
            assert re.search(r"[a-zA-Z]{4}", block.needs), f"{block.page}: {NEEDS} what?"
            assert block.needs != "data", f"{block.page}: which data?"


def test_the_commands_that_need_data_have_options_that_there_are():
    """Their help is asked for, which comes only when every option is known."""
    seen = 0
    for block in blocks("bash"):
        for words in block.commands() if block.needs else []:
            if words[:1] == ["lst-robust"]:
                result = CliRunner().invoke(app, [*words[1:], "--help"])
                assert result.exit_code == 0 and "Usage" in result.output, (block.page, words, result.output)
                seen += 1
    assert seen > 20


def test_the_page_of_cifar_c_makes_the_npy_files_that_it_promises():
    commands = [words for block in blocks("bash", page="docs/cifar-c.md") for words in block.commands()]
    ((*_, format_, form, _folder),) = [words for words in commands if words[1] == "corrupt" and "--verify" not in words]
    assert (format_, form) == ("--format", "npy")


@pytest.mark.parametrize(("page", "test"), TRIED_BY.items())
def test_a_page_with_a_test_of_its_own_is_known_there(page, test):
    assert page in PAGES
    assert Path(page).name in (ROOT / test).read_text(encoding="utf-8")


def test_no_block_hides_behind_another_name():
    """Commands in blocks of other kinds would not be tried."""
    for block in blocks("console", "sh", "shell", "py", "text"):
        assert not re.search(r"^(lst-robust|python|make|pip|import) ", block.text, re.MULTILINE), block
