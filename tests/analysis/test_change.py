"""The change of a metric since the baseline, with the baseline's bits and without them."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.analysis.baseline import make_baseline
from lst_robust.analysis.change import Change
from lst_robust.analysis.gate import check
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, SEVERITIES, Cell
from tests.analysis.gated import METRIC, WRONG, one, worse
from tests.analysis.simulated import measured, stored


def test_worse_is_up_or_down():
    change = Change(50.0, 60.0, 10.0, 8.0, 13.0)
    assert change.worse_by(lower_is_better=True) == 10
    assert change.worse_by(lower_is_better=False) == -10


@pytest.mark.parametrize(
    ("low", "high", "p_value", "by_chance"),
    [(8, 13, 0.01, False), (-13, -8, 0.01, False), (-1, 21, 0.01, True), (8, 13, 0.13, True), (8, 13, None, False)],
)
def test_chance_explains_what_the_interval_or_the_p_value_does_not_exclude(low, high, p_value, by_chance):
    assert Change(50.0, 60.0, 10.0, low, high, p_value).by_chance is by_chance


@pytest.mark.parametrize(("newly_wrong", "status"), [(4, "passed"), (5, "passed"), (6, "regression")])
def test_a_handful_of_images_is_no_regression(before, now, newly_wrong, status):
    """Of 300 images 90 were wrong, and some more are now. By McNemar's exact test p is 0.125, 0.0625 and 0.031."""
    wrong = {CLEAN_CELL: np.arange(300) < 90}
    stored(before, measured("lst18", wrong))
    stored(now, measured("lst18", {CLEAN_CELL: np.arange(300) < 90 + newly_wrong}, weights="1"))
    gate = check(make_baseline(before.results_dir), results_dir=now.results_dir, metric="clean_error", tolerance=0.5)
    finding = one(gate)
    assert finding.low > 0 and finding.status == status
    assert finding.p_value == pytest.approx(2 * 0.5**newly_wrong, abs=0.01)
    assert (f"p = {finding.p_value:.2f})" in finding.message) == (status == "passed")


def test_without_bits_the_comparison_is_unpaired_and_wider(before, now):
    stored(before, measured("lst18", WRONG))
    stored(now, measured("lst18", worse(("fog", "snow", "frost"), 0.2), weights="1"))
    paired, unpaired = (
        one(check(make_baseline(before.results_dir, bits=bits), results_dir=now.results_dir, **METRIC))
        for bits in (True, False)
    )
    assert paired.status == "regression" and paired.paired and not unpaired.paired
    assert unpaired.difference == pytest.approx(paired.difference)
    assert unpaired.baseline == pytest.approx(paired.baseline)
    assert unpaired.low < 0 < paired.low and unpaired.status == "passed"
    stored(now, measured("lst18", worse(("fog", "snow", "frost", "contrast"), 1), weights="2", train_seed=1))
    gate = check(
        make_baseline(before.results_dir, bits=False), results_dir=now.results_dir, models=["lst18@seed1"], **METRIC
    )
    assert gate.exit_code == 1 and "fog" in one(gate).corruptions


def test_the_interval_without_bits_is_that_of_two_independent_samples(before, now):
    """± 1.96 · √(2 · p (1 - p) / n) of n images of which a share p is wrong, around the difference."""
    n = 2000
    cells = [Cell("fog", severity) for severity in SEVERITIES]
    stored(before, measured("lst18", {cell: np.arange(n) < 400 for cell in cells}))
    stored(now, measured("lst18", {cell: np.arange(n) < 500 for cell in cells}, weights="1"))
    baseline = make_baseline(before.results_dir, bits=False)
    finding = one(check(baseline, results_dir=now.results_dir, **METRIC))
    assert (finding.baseline, finding.current, finding.difference) == pytest.approx((20, 25, 5))
    half = 100 * 1.96 * np.sqrt(2 * 0.25 * 0.75 / n)
    assert (finding.low, finding.high) == pytest.approx((5 - half, 5 + half), abs=0.12)
    assert (finding.low, finding.high) == pytest.approx((2.4, 7.6), abs=0.06)  # with our seeds, to a step of 100 / n
    assert finding.paired is False and finding.status == "regression"
    assert one(check(baseline, results_dir=now.results_dir, **METRIC)) == finding  # the same numbers again
    assert finding.corruptions == pytest.approx({"fog": 5})


def test_a_corruption_error_without_bits_is_that_with_bits(before, now):
    stored(before, measured("lst18", WRONG))
    stored(now, measured("lst18", worse(("fog",), 0.5), weights="1"))
    paired, unpaired = (
        one(check(make_baseline(before.results_dir, bits=bits), results_dir=now.results_dir)) for bits in (True, False)
    )
    assert unpaired.baseline == pytest.approx(paired.baseline)
    assert unpaired.difference == pytest.approx(paired.difference)
    assert unpaired.high - unpaired.low > paired.high - paired.low


@pytest.mark.parametrize(("n", "metric"), [(20, METRIC), (30, METRIC), (50, {"metric": "mce15"})])
def test_without_bits_one_more_wrong_image_is_no_regression_where_all_are_wrong(before, now, n, metric):
    """No resample differs from another, to rounding: the rule of three, 3 / n, stands for a width."""
    cells = [Cell(name, severity) for name in CORRUPTIONS for severity in SEVERITIES]
    stored(before, measured("lst18", {cell: np.arange(n) < n - 1 for cell in cells}))
    stored(now, measured("lst18", {cell: np.arange(n) < n for cell in cells}, weights="1"))
    finding = one(check(make_baseline(before.results_dir, bits=False), results_dir=now.results_dir, **metric))
    assert finding.status == "passed" and finding.corruptions == {}
    assert finding.high - finding.difference == pytest.approx(3 * finding.difference)
    assert finding.difference - finding.low == pytest.approx(3 * finding.difference)
