"""Intervals of single cells."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.analysis.cell_intervals import error_intervals
from lst_robust.analysis.summary import bootstrap_intervals
from lst_robust.benchmark import CLEAN_CELL, Cell
from tests.analysis.simulated import ALL_CELLS, measured, simulated

FOG = Cell("fog", 3)


def test_the_clean_cell_has_the_interval_of_the_clean_error():
    wrong = simulated(np.random.default_rng(0), 300, dict.fromkeys(ALL_CELLS, 0.2))
    records = measured("a", wrong).records
    found = error_intervals([records])
    assert set(found) == set(ALL_CELLS)
    assert list(found[CLEAN_CELL]) == pytest.approx(bootstrap_intervals(records, None)["clean_error"])
    assert all(low < 100 * wrong[cell].mean() < high for cell, (low, high) in found.items())


def test_of_several_trainings_it_is_that_of_each_images_mean():
    generator = np.random.default_rng(1)
    cells = {CLEAN_CELL: 0.2, FOG: 0.5}
    one, other = (measured("a", simulated(generator, 300, cells, 0.0)).records for _ in range(2))
    both = error_intervals([one, other])
    assert np.ptp(both[FOG]) < min(np.ptp(error_intervals([one])[FOG]), np.ptp(error_intervals([other])[FOG]))
    del other[CLEAN_CELL]
    assert set(error_intervals([one, other])) == {FOG}
    assert error_intervals([one, {}]) == {}
