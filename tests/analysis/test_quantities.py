"""The formulas of the quantities, on numbers and on vectors."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.analysis.quantities import QUANTITIES, cells_of, corruption_error, mean, relative_corruption_error, rise
from lst_robust.benchmark import CLEAN_CELL, SEVERITIES, Cell
from tests.analysis.simulated import HALF, measured

FOG = {Cell("fog", severity): 10.0 * severity for severity in SEVERITIES}


@pytest.mark.parametrize(("error", "expected"), [(30 + 0.8e-7, 0), (30 + 2e-7, 1e-6), (30 - 2e-7, -1e-6)])
def test_a_rise_is_known_to_a_millionth(error, expected):
    """What a sum of five errors leaves behind in float64 is no rise."""
    assert rise([error] * 5, 30.0) == pytest.approx(expected, abs=1e-12)


def test_formulas_on_numbers_by_hand():
    assert mean([1.0, 2.0, 6.0]) == 3
    assert corruption_error([10, 20, 30, 40, 50], [50, 50, 50, 50, 100]) == 50
    assert relative_corruption_error([20] * 5, 10, [40] * 5, 20) == 50
    assert relative_corruption_error([20] * 5, 10, [20] * 5, 20) is None


def test_the_same_formulas_give_weights():
    units = list(np.eye(6))
    assert corruption_error(units[:5], [20.0] * 5).tolist() == [1, 1, 1, 1, 1, 0]
    weights = relative_corruption_error(units[:5], units[5], [20.0] * 5, 10.0)
    assert weights.tolist() == [2, 2, 2, 2, 2, -10]


def test_cells():
    assert cells_of("clean") == (CLEAN_CELL,)
    assert cells_of("fog") == tuple(FOG)


def test_what_is_not_measured_or_not_normalised_has_no_value():
    error, ce, relative = (QUANTITIES[name].formula for name in ("error", "ce", "relative_ce"))
    some = {Cell("fog", 1): 10.0, Cell("fog", 3): 30.0, CLEAN_CELL: 5.0}
    assert error(some, "fog", None) == 20 and error(some, "snow", None) is None and error(some, "clean", None) == 5
    assert ce(FOG, "fog", HALF) == 60
    for values, normaliser in [(some, HALF), (FOG, None), (FOG, HALF.model_copy(update={"errors": {}}))]:
        assert ce(values, "fog", normaliser) is None
        assert relative(values | {CLEAN_CELL: 5.0}, "fog", normaliser) is None
    assert relative(FOG, "fog", HALF) is None  # no clean error
    assert relative(FOG | {CLEAN_CELL: 10.0}, "fog", HALF) == 50


def test_the_numbers_of_a_record():
    (record,) = measured("a", {CLEAN_CELL: np.arange(10) < 3}).records.values()
    numbers = {name: quantity.of_cell(record) for name, quantity in QUANTITIES.items()}
    assert numbers == {
        "error": 30, "ce": 30, "relative_ce": 30, "top5_error": None, "ece": pytest.approx(20), "brier": 0.5
    }  # fmt: skip
    old = record.model_copy(update={"calibration": None})
    assert QUANTITIES["ece"].of_cell(old) is None and QUANTITIES["brier"].of_cell(old) is None


def test_only_top1_errors_are_means_over_images():
    assert [name for name, quantity in QUANTITIES.items() if quantity.by_image] == ["error", "ce", "relative_ce"]
    normalised = [name for name, quantity in QUANTITIES.items() if quantity.needs_normaliser]
    assert normalised == ["ce", "relative_ce"]
