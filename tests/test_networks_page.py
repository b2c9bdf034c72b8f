"""The page docs/networks.md: its commands work, and what it says of names, packages and labels is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from lst_robust.errors import UsageError
from lst_robust.models import model_info
from lst_robust.models.external.by_name import SOURCES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "networks.md").read_text()


@pytest.fixture(autouse=True)
def nothing_is_fetched(offline):
    """For all tests here."""


def test_its_commands_work(saved, draw_images, run):
    folder, images = saved(["cat", "dog"]), draw_images(0)
    (block,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()[1:]:  # the first says what the block needs
        words = line.replace("hf:FOLDER", f"hf:{folder}").replace("IMAGES", str(images))
        asked = [
            *shlex.split(words)[1:],
            *(["--corruptions", "contrast", "--severities", "1"] if "eval" in line else []),
        ]
        done = run(*asked)
        assert done.exit_code == 0, done.stderr
        assert "vit" in done.stdout or "contrast" in done.stdout


def test_it_names_each_source_and_its_extra():
    extras = (ROOT / "pyproject.toml").read_text()
    for source in SOURCES:
        assert f"| `{source}:" in PAGE
    for extra in re.findall(r"lst-robust\[(\w+)\]", PAGE):
        assert re.search(rf"^{extra} = \[", extras, re.MULTILINE), extra


@pytest.mark.parametrize("library", ["transformers", "timm", "open_clip"])
def test_a_package_that_is_missing_is_named_with_an_extra_of_the_page(library, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, library, None)
    name = {"transformers": "hf:owner/name", "timm": "timm:resnet18", "open_clip": "open_clip:ViT-B-32/openai"}[library]
    with pytest.raises(UsageError) as error:
        model_info(name)
    (install,) = re.findall(r"pip install '[^']+'", str(error.value))
    assert f"`{install}`" in PAGE


def test_a_line_and_the_documented_code_for_a_repository_that_is_not_in_the_cache(run):
    pytest.importorskip("transformers")
    for name in ("hf:owner/name", "timm:hf_hub:owner/name"):
        done = run("eval", "-m", name, "-s", "digits-c")
        assert done.exit_code == 3
        (line,) = done.stderr.splitlines()
        assert "hf download owner/name" in line and "HF_HOME" in line
