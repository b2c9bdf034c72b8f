"""Evaluations with what they say."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

import lst_robust


@pytest.fixture
def said(caplog) -> Callable[[], list[str]]:
    """said() -> the lines that the library has logged since the last call: notes and warnings, in order. Those about
    kernels that are compiled once on a machine are left out."""
    caplog.set_level(logging.INFO, "lst_robust")

    def lines() -> list[str]:
        of_kernels = "lst_robust.corruptions.kernels", "lst_robust.models.lst.kernels"
        found = [
            record.getMessage()
            for record in caplog.records
            if record.name.startswith("lst_robust") and not record.name.startswith(of_kernels)
        ]
        caplog.clear()
        return found

    return lines


@pytest.fixture
def evaluate(suite, tmp_path, said):
    """evaluate(model, folder="results", **options) -> (evaluation, what was said), on fog-3 of 40 digits."""

    def call(model, folder: str = "results", suite=suite, **options):
        said()
        asked = {"results_dir": tmp_path / folder, "corruptions": ["fog"], "severities": [3], **options}
        return lst_robust.evaluate(model, suite, **asked), said()

    return call
