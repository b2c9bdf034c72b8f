"""Folders of records, one of an earlier time and one of today."""

from __future__ import annotations

from pathlib import Path

import pytest

from lst_robust.analysis.baseline import Baseline, make_baseline
from lst_robust.records.store import Store
from tests.analysis.gated import WRONG
from tests.analysis.simulated import measured, stored


@pytest.fixture
def before(tmp_path: Path) -> Store:
    return Store(tmp_path / "before")


@pytest.fixture
def now(tmp_path: Path) -> Store:
    return Store(tmp_path / "now")


@pytest.fixture
def baseline(before: Store) -> Baseline:
    stored(before, measured("lst18", WRONG))
    return make_baseline(before.results_dir)
