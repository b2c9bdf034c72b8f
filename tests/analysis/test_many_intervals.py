"""Intervals of many networks at once: to the last bit those of each network alone."""

from __future__ import annotations

import os

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from lst_robust.analysis import noted_ends, statistics
from lst_robust.analysis.folding import folded
from lst_robust.analysis.networks import collect_networks
from lst_robust.analysis.statistics import SharedDraws, intervals, intervals_together
from lst_robust.analysis.summary import summarise
from lst_robust.records.packed import packed_run
from lst_robust.records.packed_files import PACKED
from lst_robust.records.run_file import RunFile
from lst_robust.records.store import Store
from tests.analysis.simulated import ALL_CELLS, HALF, measured, simulated

RANDOM = np.random.default_rng(11)


def one_by_one(scores: np.ndarray) -> np.ndarray:
    """The definition, column by column, with numpy's quantiles and powers."""
    means, drawn = scores.mean(axis=0), statistics.resampled_means(scores)
    equal = np.abs(drawn - means) <= statistics.TIE * np.abs(scores).max(axis=0)
    below = (((drawn < means) & ~equal) + equal / 2).mean(axis=0)
    deviations = scores - means
    squares = (deviations**2).sum(axis=0)
    ends = np.stack([means, means], axis=1)
    for column in np.flatnonzero((squares > 1e-12) & (below > 0) & (below < 1)):
        acceleration = (deviations[:, column] ** 3).sum() / (6 * squares[column] ** 1.5)
        bias = ndtri(below[column])
        shifted = bias + ndtri([0.025, 0.975])
        ends[column] = np.quantile(drawn[:, column], ndtr(bias + shifted / (1 - acceleration * shifted)))
    return ends.round(statistics.DIGITS)


def scores(n: int, columns: int) -> np.ndarray:
    """Such as CEs are: some that many images share, rare ones, one that all have, one that none has, and means."""
    wrong = RANDOM.random((n, 5 * columns)) < np.repeat(RANDOM.uniform(0.001, 0.7, columns), 5)
    found = wrong.reshape(n, columns, 5).sum(axis=2) * (100 * 100 / RANDOM.uniform(50, 400, columns))
    found[:, 0] = 100.0
    found[:, -1] = found.mean(axis=1) if columns > 2 else 0.0
    return found


@pytest.mark.parametrize("n", [1, 2, 37, 500, 1777])
@pytest.mark.parametrize("columns", [1, 2, 5, 24])
def test_vectors_give_what_columns_give_one_by_one(n, columns):
    found = scores(n, columns)
    assert np.array_equal(intervals(found), one_by_one(found))


@pytest.mark.parametrize("widths", [(24,), (24, 24), (3, 1, 7), (2, 24, 5, 23, 24, 24, 21, 2), (1, 1)])
@pytest.mark.parametrize("n", [37, 1200])
def test_networks_together_have_the_intervals_of_each_alone(widths, n):
    each, draws = [scores(n, width) for width in widths], SharedDraws()
    together = intervals_together(each, draws=draws)
    assert [ends.shape for ends in together] == [(width, 2) for width in widths]
    for ends, one in zip(together, each, strict=True):
        assert np.array_equal(ends, intervals(one)) and np.array_equal(ends, one_by_one(one))


def test_means_that_differ_in_their_last_bits_are_equal(monkeypatch):
    """They depend on how a product is computed, which depends on the processor and on the columns beside."""
    found = scores(500, 5)
    resampled = statistics.resampled_means

    def with_other_bits(*given, **settings):
        drawn = resampled(*given, **settings)
        return drawn * (1 + 4e-16 * RANDOM.integers(-2, 3, drawn.shape))

    expected = intervals(found)
    monkeypatch.setattr(statistics, "resampled_means", with_other_bits)
    assert np.array_equal(intervals(found), expected)


def test_quantiles_are_numpys():
    values = RANDOM.normal(size=(2000, 50)).round(RANDOM.integers(1, 9))
    fractions = np.sort(RANDOM.random((50, 2)), axis=1)
    fractions[0], fractions[1], fractions[2] = (0, 1), (0.5, 0.5), (1e-300, 1 - 1e-16)
    expected = [np.quantile(values[:, column], fractions[column]) for column in range(50)]
    assert np.array_equal(statistics._quantiles(values, fractions), expected)
    assert np.array_equal(statistics._quantiles(values[:1], fractions), np.stack([values[0], values[0]], axis=1))


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Nine networks and two trainings of a tenth, of 150 images, packed; and their records in memory."""
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path / "cache"))
    store, found = Store(tmp_path / "results"), []
    for number in range(11):
        wrong = simulated(RANDOM, 150, dict.fromkeys(ALL_CELLS[: 96 if number % 3 else 11], RANDOM.uniform(0.1, 0.6)))
        name, seed = (f"net{number}", 0) if number < 9 else ("twice", number - 9)
        if number >= 9:
            wrong = simulated(RANDOM, 150, dict.fromkeys(ALL_CELLS, 0.4))
        made = measured(name, wrong, weights=f"{number:x}", train_seed=seed)
        path = store.run_folder(made.run) / PACKED
        path.parent.mkdir(parents=True)
        path.write_bytes(packed_run(RunFile(protocol=made.run.protocol, model=made.run.model), made.records))
        os.utime(path, (0, 0))  # what has just changed is not indexed
        found.append(made)
    return found


@pytest.mark.parametrize("together", [1, 3, 8])
def test_a_tables_numbers_are_those_of_records_in_memory(runs, tmp_path, monkeypatch, together):
    monkeypatch.setattr(noted_ends, "TOGETHER", together)
    networks = collect_networks(tmp_path / "results", "digits-c", HALF)
    assert len(networks) == len(runs)
    expected = {one.run.digest: summarise(one.run, one.records, HALF) for one in runs}
    for network in networks:
        whole = expected[network.summary.run]
        assert network.summary.intervals == whole.intervals and whole.intervals is not None
        assert network.summary.metrics == whole.metrics and network.summary.calibration == whole.calibration


@pytest.mark.parametrize("fold", [False, True])
def test_those_of_the_metrics_alone_are_the_same(runs, tmp_path, fold):
    asked = (tmp_path / "results", "digits-c", HALF)
    some = collect_networks(*asked, intervals="metrics", fold_seeds=fold)
    every = collect_networks(*asked, fold_seeds=fold)
    assert len(some) == len(every) == len(runs) - fold
    for one, whole in zip(some, every, strict=True):
        assert one.summary.intervals.metrics == whole.summary.intervals.metrics
        assert one.summary.intervals.ce == {} != whole.summary.intervals.ce


def test_trainings_are_folded_by_the_same_numbers(runs, tmp_path, monkeypatch):
    first = collect_networks(tmp_path / "results", "digits-c", HALF, fold_seeds=True)
    [twice] = [network for network in first if network.summary.trainings]
    trained = [summarise(one.run, one.records, HALF) for one in runs[9:]]
    assert twice.summary.intervals == folded(trained, [one.records for one in runs[9:]], HALF).intervals
    monkeypatch.setattr(noted_ends.statistics, "intervals_together", lambda *_, **__: pytest.fail("they are noted"))
    again = collect_networks(tmp_path / "results", "digits-c", HALF, fold_seeds=True)
    assert [one.summary for one in again] == [one.summary for one in first]
