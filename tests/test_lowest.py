"""The oldest dependencies, as tools/lowest prints them."""

from __future__ import annotations

import importlib.util
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

FILE = Path(__file__).parents[1] / "tools/lowest"
LOADER = SourceFileLoader("lowest_versions", str(FILE))
LOWEST = importlib.util.module_from_spec(importlib.util.spec_from_loader("lowest_versions", LOADER))
LOADER.exec_module(LOWEST)
PROJECT = {
    "dependencies": ["numpy>=1.26", "torch>=2.4,<9"],
    "optional-dependencies": {"test": ["pytest>=8", "lst-robust[report]", "stubs"], "report": ["matplotlib>=3.8"]},
}


def test_lower_bounds_become_exact_versions():
    assert LOWEST.constraints(PROJECT, ["test"]) == ["numpy==1.26", "pytest==8", "torch==2.4"]
    assert LOWEST.constraints(PROJECT, ["test", "report"])[0] == "matplotlib==3.8"


def test_an_unknown_extra_is_one_line():
    with pytest.raises(SystemExit, match="error: docs is no extra: there are test, report"):
        LOWEST.constraints(PROJECT, ["docs"])


def test_every_dependency_of_the_project_has_a_lower_bound():
    tomllib = LOWEST.tomllib

    project = tomllib.loads(LOWEST.PYPROJECT.read_text())["project"]
    assert len(LOWEST.constraints(project, [])) == len(project["dependencies"])
