"""What changed since a baseline is what `check` finds."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.analysis.baseline import make_baseline
from lst_robust.analysis.gate import check
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS
from lst_robust.records.store import Store
from lst_robust.report.changes import changes_since
from lst_robust.report.request import ReportRequest
from tests.analysis.simulated import ALL_CELLS, simulated
from tests.report.conftest import store_network


@pytest.fixture
def before_and_after(tmp_path, digits):
    """Two networks in all cells; the second is much worse later, in fog above all."""
    generator = np.random.default_rng(1)
    for state, errors in (("before", (0.3, 0.3)), ("after", (0.3, 0.8))):
        for name, error in zip(("same", "worse"), errors, strict=True):
            seeded = np.random.default_rng(2) if name == "same" else generator
            wrong = simulated(seeded, 40, dict.fromkeys(ALL_CELLS, error))
            store_network(Store(tmp_path / state), name, 0, wrong, digits.labels, digits.fingerprint())
    return make_baseline(results_dir=tmp_path / "before"), tmp_path / "after"


def test_each_network_has_its_verdict(before_and_after):
    baseline, results = before_and_after
    found = changes_since(baseline, "baseline.json", ReportRequest.of(results_dir=results))
    gate = check(baseline, results_dir=results)
    assert (found.baseline, found.metric, found.tolerance) == ("baseline.json", "mCE (15 standard)", 0.5)
    assert {change.network: change.verdict for change in found.changes} == {"same": "passed", "worse": "regression"}
    assert [change.message for change in found.changes] == [finding.message for finding in gate.findings]
    worse = next(change for change in found.changes if change.network == "worse")
    assert (
        worse.current - worse.baseline == pytest.approx(worse.difference) and worse.low < worse.difference < worse.high
    )
    assert set(dict(worse.harmed)) <= set(CORRUPTIONS) and dict(worse.harmed)["fog"] > 0


def test_without_a_mean_over_corruptions_it_is_the_clean_error(tmp_path, digits):
    for state in ("before", "after"):
        wrong = {CLEAN_CELL: np.arange(40) < 5}
        store_network(Store(tmp_path / state), "a", 0, wrong, digits.labels, digits.fingerprint())
    baseline = make_baseline(results_dir=tmp_path / "before")
    found = changes_since(baseline, "b", ReportRequest.of(results_dir=tmp_path / "after"))
    assert found.metric == "clean error" and [change.verdict for change in found.changes] == ["passed"]
