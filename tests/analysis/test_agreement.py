"""Cohen's kappa between networks."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from lst_robust.analysis.agreement import agreement, kappas
from lst_robust.benchmark import CLEAN_CELL, Cell
from tests.analysis.simulated import measured

CELLS = (CLEAN_CELL, Cell("fog", 1), Cell("fog", 2))


def records(seed: int, cells=CELLS, error: float = 0.3):
    generator = np.random.default_rng(seed)
    return measured("a", {cell: generator.random(100) < error for cell in cells}, train_seed=seed).records


def test_kappa_is_scikit_learns():
    correct = np.random.default_rng(0).random((4, 200)) < np.array([[0.2], [0.5], [0.7], [0.9]])
    correct[3] |= correct[2]
    found = kappas(correct)
    expected = [[cohen_kappa_score(a, b) for b in correct] for a in correct]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.allclose(np.diag(found), 1)


def test_opposite_errors_have_kappa_minus_one_and_constant_ones_none():
    half = np.arange(100) < 50
    assert kappas(np.stack([half, ~half]))[0, 1] == pytest.approx(-1)
    assert np.isnan(kappas(np.ones((2, 10), dtype=bool))).all()


def test_the_mean_over_corrupted_cells_and_pairs_of_trainings():
    a, b, c = records(0), records(1), records(2)
    found = agreement([[a, b], [c]])

    def pair(x, y, cell):
        return cohen_kappa_score(x[cell].correct_bits(), y[cell].correct_bits())

    assert found.cells == 2
    assert found.clean[0, 1] == pytest.approx(np.mean([pair(a, c, CLEAN_CELL), pair(b, c, CLEAN_CELL)]))
    corrupted = [pair(x, c, cell) for x in (a, b) for cell in CELLS[1:]]
    assert found.corrupted[0, 1] == found.corrupted[1, 0] == pytest.approx(np.mean(corrupted))
    assert found.clean[0, 0] == pytest.approx(pair(a, b, CLEAN_CELL)) and np.isnan(found.clean[1, 1])


def test_only_cells_that_all_have_count():
    found = agreement([[records(0)], [records(1, cells=CELLS[1:2])]])
    assert found.cells == 1 and np.isnan(found.clean).all() and not np.isnan(found.corrupted[0, 1])
    none = agreement([[records(0, cells=CELLS[:1])], [records(1, cells=CELLS[:1])]])
    assert none.cells == 0 and np.isnan(none.corrupted).all() and not np.isnan(none.clean[0, 1])
