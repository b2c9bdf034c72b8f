"""The pages docs/adding/corruption.md and network.md, followed word by word. Those of data sets and metrics have their
tests beside the modules."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import lst_robust.models
from lst_robust.models import registry

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "adding"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (PAGES / page).read_text(), re.DOTALL)


def test_architecture_links_a_page_for_each_thing_that_can_be_added():
    text = (ROOT / "docs" / "architecture.md").read_text()
    assert set(re.findall(r"\(adding/(\w+)\.md\)", text)) == {page.stem for page in PAGES.glob("*.md")}


def test_every_file_and_folder_that_architecture_names_is_there():
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"\b((?:\w+/)+\w+\.py)\b", text))
    assert len(named) > 10
    missing = [path for path in named if not (ROOT / "lst_robust" / path).is_file() and not (ROOT / path).is_file()]
    assert not missing
    layers = re.search(r"```\n(cli .*?)```", text, re.DOTALL)[1].splitlines()
    for line in layers:
        for name in re.split(r",? +", line.split("  ")[0]):
            package = ROOT / "lst_robust" / name
            assert package.is_dir() or package.with_suffix(".py").is_file(), name


@pytest.mark.slow
def test_a_corruption_is_added_as_its_page_says(tmp_path):
    script = blocks("corruption.md", "python")[0]
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "published").symlink_to(ROOT / "results" / "published")
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    errors, table = done.stdout.split("\n", 1)
    assert len(re.findall(r"\d+\.\d", errors)) == 5
    assert "Own<br>Poster" in table


def test_a_corruption_for_a_device_is_added_as_its_page_says(tmp_path):
    script = blocks("corruption.md", "python")[1]
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


@pytest.fixture
def mean_colour(tmp_path, monkeypatch):
    """The page's network, known in this process."""
    (source,) = blocks("network.md", "python")
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "mean_colour.py").write_text(source)
    monkeypatch.setattr(lst_robust.models, "__path__", [*lst_robust.models.__path__, str(folder)])
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    __import__("lst_robust.models.mean_colour")
    yield
    del sys.modules["lst_robust.models.mean_colour"]


def test_a_network_in_a_file_is_evaluated_as_its_page_says(run, tiny, tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n"
        "def build(num_classes, image_size):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(3 * image_size**2, num_classes))\n"
    )
    weights = {"1.weight": torch.zeros(10, 3 * 32 * 32), "1.bias": torch.arange(10.0)}
    save_file(weights, tmp_path / "net.safetensors")
    words = shlex.split(blocks("network.md", "bash")[0].replace("digits-c", str(tiny)))
    done = run(*words[1:], "--corruptions", "contrast", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["errors"]["contrast"] == [90.0] * 5, "it always says the last of ten classes"


def test_a_network_is_added_as_its_page_says(mean_colour, run, tiny):
    page = (PAGES / "network.md").read_text()
    assert "first import of `lst_robust/models/__init__.py`" in page
    listed, evaluated = blocks("network.md", "bash")[1].splitlines()
    shown = run(*shlex.split(listed)[1:])
    assert shown.exit_code == 0 and "mean-colour" in shown.stdout, shown.stderr
    measured = run(*shlex.split(evaluated.replace("digits-c", str(tiny)))[1:])
    assert measured.exit_code == 0, measured.stderr
    assert "contrast" in measured.stdout
