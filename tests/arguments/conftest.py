"""An evaluation that all tests of arguments compare with, and a folder that only work would make."""

from __future__ import annotations

from pathlib import Path

import pytest

import lst_robust
from lst_robust.suites import Suite, load_suite
from tests.fixtures.networks import PixelSum


@pytest.fixture(scope="session")
def small_suite() -> Suite:
    return load_suite("digits-c").model_copy(update={"limit": 40, "training": None})


@pytest.fixture
def results(tmp_path) -> Path:
    """A folder that only work would make."""
    return tmp_path / "results"


@pytest.fixture(scope="session")
def plain(tmp_path_factory, small_suite) -> lst_robust.Evaluation:
    """What plain arguments give: the clean images and fog-3."""
    asked = {"corruptions": ["fog"], "severities": [3], "limit": 20, "seed": 7}
    return lst_robust.evaluate(PixelSum(), small_suite, results_dir=tmp_path_factory.mktemp("plain"), **asked)
