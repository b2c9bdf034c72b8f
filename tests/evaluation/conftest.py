"""Evaluations with what they say."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace

import pytest

import lst_robust
from lst_robust.evaluation import cell_feed

TORCH_NOISE = {"corruptions": ["gaussian_noise"], "severities": [3, 5], "engine": "torch"}


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


@pytest.fixture
def many(suite, tmp_path, said):
    """many(networks by name, folder="many", **options) -> (evaluations, what was said), on noise by torch's engine."""

    def call(models, folder: str = "many", **options):
        said()
        for name, network in models.items():
            network.config = SimpleNamespace(name=name, num_classes=10)
        asked = {"results_dir": tmp_path / folder, "batch_size": 8, **TORCH_NOISE, **options}
        return lst_robust.evaluate_many(list(models.values()), suite, **asked), said()

    return call


@pytest.fixture
def in_pieces(monkeypatch):
    """16 images at a time, for one network and for several."""
    for size in ("CALL_BYTES", "CHUNK_BYTES"):
        monkeypatch.setattr(cell_feed, size, 16 * 32 * 32 * 3)
