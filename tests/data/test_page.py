"""The page's data set, added as the page says: a file, a line, a suite, and the two commands."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import lst_robust.data
from lst_robust.data import open_source, registry
from lst_robust.suites import load_suite

PAGE = Path(__file__).parents[2] / "docs" / "adding" / "dataset.md"


def block(language: str) -> str:
    """The first block of code in that language."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found, f"{PAGE} has no block of {language}"
    return found[1]


@pytest.fixture
def stripes(tmp_path, monkeypatch) -> Path:
    """The suite's file, in a folder where the data set is known."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "stripes.py").write_text(block("python"))
    monkeypatch.setattr(lst_robust.data, "__path__", [*lst_robust.data.__path__, str(folder)])
    assert '`"stripes",` in the list `MODULES`' in PAGE.read_text()
    monkeypatch.setattr(registry, "MODULES", (*registry.MODULES, "stripes"))
    monkeypatch.setattr(registry, "SHIPPED", registry.shipped_kinds())
    (tmp_path / "stripes.yaml").write_text(block("yaml"))
    yield tmp_path / "stripes.yaml"
    del sys.modules["lst_robust.data.stripes"]
    del lst_robust.data.stripes


def test_its_images_are_read_and_its_options_checked(stripes):
    suite = load_suite(stripes)
    assert (suite.dataset.kind, suite.dataset.width, suite.normaliser) == ("stripes", 3, None)
    source = open_source(suite.dataset, "test", image_size=suite.image_size)
    images = source.read([0, 1])
    assert images.shape == (2, 32, 32, 3) and images.dtype == np.uint8
    assert (images[0] == images[0][:, :1]).all() and (images[1] == images[1][:1]).all(), "one lies, one stands"
    assert suite.model_dump(mode="json")["dataset"] == {"kind": "stripes", "width": 3}


def test_its_width_is_part_of_the_digest(stripes):
    digest = load_suite(stripes).digest()
    stripes.write_text(stripes.read_text().replace("width: 3", "width: 2"))
    assert load_suite(stripes).digest() != digest


def test_its_commands_run(stripes, run, monkeypatch):
    monkeypatch.setenv("LST_ROBUST_LST_KERNELS", "plain")
    verify, evaluate = block("bash").splitlines()
    checked = run(*verify.split()[1:], "--json")
    assert checked.exit_code == 0, checked.stderr
    findings = {finding["what"]: finding["found"] for finding in json.loads(checked.stdout)["findings"]}
    assert (findings["train images"], findings["test images"]) == ("40", "20")
    measured = run(*evaluate.split()[1:], "--json")
    assert measured.exit_code == 0, measured.stderr
    assert json.loads(measured.stdout)["n"] == 20
