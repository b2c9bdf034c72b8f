"""Intervals and p-values against scipy, closed forms, and (slow) against what they promise."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from scipy import stats

from lst_robust.analysis import statistics
from lst_robust.analysis.metrics import image_metrics
from lst_robust.analysis.scores import cell_weights, weighted
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS
from lst_robust.suites.normaliser import published_normaliser
from tests.analysis.simulated import ALL_CELLS, simulated

RANDOM = np.random.default_rng(7)
SKEWED = RANDOM.binomial(5, RANDOM.beta(0.2, 2, size=(120, 1)), size=(120, 2)) * 20.0  # 5 severities of two corruptions


@pytest.mark.parametrize(
    ("function", "method"), [(statistics.intervals, "BCa"), (statistics.paired_intervals, "percentile")]
)
def test_intervals_are_scipys(function, method):
    scores = np.random.default_rng(1).exponential(20, size=(80, 2))
    ours = function(scores, resamples=100_000)
    for column in range(2):
        asked = {"n_resamples": 100_000, "method": method, "batch": 5000, "random_state": 1}
        low, high = stats.bootstrap((scores[:, column],), np.mean, **asked).confidence_interval
        assert ours[column] == pytest.approx((low, high), abs=0.1)  # the two methods' ends are 0.5 apart


@pytest.mark.parametrize("function", [statistics.intervals, statistics.paired_intervals])
def test_the_interval_of_many_images_is_the_normal_one(function):
    scores = RANDOM.normal(50, 10, size=(4000, 1))
    ((low, high),) = function(scores, resamples=20_000)
    half = 1.96 * scores.std(ddof=1) / np.sqrt(len(scores))
    assert (low, high) == pytest.approx((scores.mean() - half, scores.mean() + half), abs=0.02)


def test_the_same_numbers_again_and_in_any_chunks(monkeypatch):
    first = statistics.intervals(SKEWED), statistics.paired_p_values(SKEWED - 20)
    assert np.array_equal(statistics.intervals(SKEWED), first[0])
    monkeypatch.setattr(statistics, "CHUNK_BYTES", 7 * 8 * len(SKEWED))
    assert np.array_equal(statistics.intervals(SKEWED), first[0])
    assert statistics.paired_p_values(SKEWED - 20) == pytest.approx(first[1], abs=0.02)  # other signs are drawn


def test_columns_share_their_images():
    """A sum of two dependent scores has the interval of the sum, not of two independent ones."""
    opposite = np.stack([SKEWED[:, 0], 100 - SKEWED[:, 0]], axis=1)
    assert statistics.resampled_means(opposite).sum(axis=1) == pytest.approx(100)


def test_without_an_error_the_interval_is_a_point():
    assert statistics.intervals(np.zeros((50, 1))).tolist() == [[0, 0]]
    assert statistics.intervals(np.full((50, 1), 100.0)).tolist() == [[100, 100]]
    assert statistics.intervals(np.full((1, 1), 100.0)).tolist() == [[100, 100]]


def test_one_wrong_image_gives_an_interval_from_zero():
    scores = np.zeros((500, 1))
    scores[3] = 100
    ((low, high),) = statistics.intervals(scores)
    assert low == 0 and 0.4 < high < 1.2


def test_p_values_are_those_of_all_sign_flips():
    differences = RANDOM.normal(0.5, 1, size=(11, 1))
    exact = stats.permutation_test(
        (differences[:, 0], np.zeros(11)), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    )
    ours = statistics.paired_p_values(differences, flips=200_000)
    assert ours[0] == pytest.approx(exact.pvalue, abs=0.004)


def test_for_one_cell_the_p_value_is_mcnemars():
    differences = np.zeros((300, 1))
    differences[:8], differences[8] = 100, -100  # eight images only the first got wrong, one only the second
    assert stats.binomtest(1, 9).pvalue == pytest.approx(0.0390625)
    assert statistics.paired_p_values(differences, flips=200_000)[0] == pytest.approx(0.0390625, abs=0.002)


def test_models_without_a_difference_have_p_1_and_no_p_is_0():
    assert statistics.paired_p_values(np.zeros((30, 2))).tolist() == [1, 1]
    assert statistics.paired_p_values(np.ones((200, 1)))[0] == pytest.approx(1 / 10_000)


def test_holm_steps_down():
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.6, 0.9]) == pytest.approx([1, 1])  # 1.2 is no probability
    assert statistics.holm([0.2, 0.2, 0.2]) == pytest.approx([0.6] * 3)
    assert statistics.holm([]) == []


def test_p_values_are_corrected_in_float64():
    tenth = np.float32(0.1)  # 0.100000001490116...
    assert statistics.holm([tenth] * 3) == [3 * float(tenth)] * 3


def test_the_unit_of_the_scores_does_not_matter():
    """A 1024th of the scores has a 1024th of the interval, and the same p-value."""
    ends, small = statistics.intervals(SKEWED), statistics.intervals(SKEWED / 1024)
    assert small * 1024 == pytest.approx(ends, abs=1e-3)
    differences = SKEWED - 20
    assert statistics.paired_p_values(differences / 1e6).tolist() == statistics.paired_p_values(differences).tolist()


def test_resamples_that_tie_with_the_mean_count_half():
    """Ten of twenty images are wrong: nothing distinguishes wrong from right, so the interval lies around 50 %."""
    scores = np.repeat([[0.0], [100.0]], 10, axis=0)
    drawn = statistics.resampled_means(scores, resamples=20_000)
    assert 0.1 < (drawn == 50).mean() < 0.25
    assert statistics.intervals(scores, resamples=20_000).tolist() == [[30, 70]]


def test_as_many_resamples_as_documented():
    assert statistics.resampled_means(SKEWED).shape == (2000, 2)


def test_ends_have_six_decimals():
    scores = np.array([[0.0], [1 / 3], [2 / 3]])
    drawn = statistics.resampled_means(scores)
    low, high = (sorted(drawn[:, 0])[place] for place in (0, -1))
    assert (low, high) == pytest.approx((0, 2 / 3))
    assert statistics.paired_intervals(scores).tolist() == [[0, 0.666667]]
    assert statistics.intervals(np.full((5, 1), 1 / 3)).tolist() == [[0.333333, 0.333333]]


def test_where_no_resample_lies_on_both_sides_the_interval_is_a_point():
    """Of one resample, all lies above the mean or all below it: there is no bias that could be corrected."""
    scores = np.stack([SKEWED[:, 0], 100 - SKEWED[:, 0]], axis=1)
    ends = statistics.intervals(scores, resamples=1)
    assert ends[:, 0] == pytest.approx(scores.mean(axis=0), abs=1e-6)
    assert ends[:, 1] == pytest.approx(scores.mean(axis=0), abs=1e-6)


def test_a_resample_is_of_as_many_images_and_the_seed_decides_which():
    scores = np.eye(7)  # column j: how often image j was drawn
    drawn = statistics.resampled_means(scores, resamples=3) * 7
    expected = np.random.default_rng(0)
    for row in drawn:
        assert np.bincount(expected.integers(7, size=7), minlength=7).tolist() == pytest.approx(row.tolist())
    assert not np.array_equal(statistics.resampled_means(scores, resamples=3, seed=1) * 7, drawn)


def test_each_column_has_a_p_value_of_its_own_and_the_same_again():
    differences = np.stack([np.full(30, 5.0), np.tile([1.0, -1.0], 15), SKEWED[:30, 0] - 8], axis=1)
    first, second, third = p_values = statistics.paired_p_values(differences)
    assert first < 0.001 and second == 1 and 0.01 < third < 0.99
    assert statistics.paired_p_values(differences).tolist() == p_values.tolist()


def test_the_sign_of_the_last_image_is_flipped_as_that_of_the_first():
    """Three of 67 images differ by much, and the others by little that adds up to nothing: all three signs agree in a
    quarter of the flips, wherever the three lie, and in 55 % of those the others do not pull back."""
    for place in (slice(0, 3), slice(64, 67)):
        differences = np.zeros((67, 1))
        differences[place] = 5
        differences[differences == 0] = [0.001, -0.001] * 32
        assert statistics.paired_p_values(differences)[0] == pytest.approx(0.25 * 0.55, abs=0.02)


def test_a_p_value_counts_the_flips_that_reach_the_observed():
    """Three images, eight flips: the two in which all signs agree, so p is near a quarter; with no flips it is 1."""
    differences = np.full((3, 1), 5.0)
    assert statistics.paired_p_values(differences, flips=0).tolist() == [1]
    assert statistics.paired_p_values(differences, flips=20_000)[0] == pytest.approx(0.25, abs=0.015)
    mixed = np.array([[3.0], [2.0], [-1.0]])  # |4| is reached by ±(3, 2, 1) and ±(3, 2, -1): four of eight
    assert statistics.paired_p_values(mixed, flips=20_000)[0] == pytest.approx(0.5, abs=0.015)


@pytest.mark.parametrize(
    ("rows", "n", "expected"),
    [(10, 4, [3, 3, 3, 1]), (9, 4, [3, 3, 3]), (12, 1, [12]), (13, 0, [12, 1]), (2, 99, [1, 1])],
)
def test_chunks_fill_the_memory_they_may_have(monkeypatch, rows, n, expected):
    monkeypatch.setattr(statistics, "CHUNK_BYTES", 12 * 8)
    assert list(statistics._chunks(rows, n)) == expected


def test_spread_over_seeds():
    ours = statistics.spread([86.0, 88.0, 90.0])
    expected = stats.ttest_1samp([86.0, 88.0, 90.0], 0).confidence_interval(0.95)
    assert ours == pytest.approx((88, 2, 3, expected.low, expected.high))
    assert statistics.spread([88.0, 88.0]) == (88, 0, 2, 88, 88)
    assert statistics.spread([88.0]) is None


def test_two_thousand_resamples_of_96_cells_and_10_000_images_take_seconds_and_little_memory():
    wrong = {cell: RANDOM.random(10_000) < 0.4 for cell in ALL_CELLS}
    tracemalloc.start()
    started = time.perf_counter()
    scores = weighted(wrong, published_normaliser())
    ends = statistics.intervals(scores.values)
    seconds = time.perf_counter() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ends.shape == (5 + 3 * 19, 2)  # five means, and of each corruption its error, CE and relative CE
    assert seconds < 20
    assert peak < 3 * statistics.CHUNK_BYTES


def flat_errors(low: float, high: float) -> dict:
    """Errors that rise from the first cell to the last, in [0, 1]."""
    return dict(zip(ALL_CELLS, np.linspace(low, high, len(ALL_CELLS)), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(("n", "low", "high"), [(500, 0.05, 0.9), (200, 0.2, 0.7), (1000, 0.01, 0.3)])
def test_95_percent_intervals_hold_the_truth_in_93_to_97_percent_of_1000_trials(n, low, high):
    """The error of every cell, and so every metric, is known; images are hard in all cells or easy in all."""
    generator = np.random.default_rng(2024)
    errors, normaliser, trials = flat_errors(low, high), published_normaliser(), 1000
    names = [metric.name for metric in image_metrics()]
    truth = {
        name: 100 * float(weights @ np.array(list(errors.values())))
        for name, weights in cell_weights(ALL_CELLS, normaliser).items()
        if name in names
    }
    held = dict.fromkeys(names, 0)
    for _ in range(trials):
        scores = weighted(simulated(generator, n, errors), normaliser, names)
        for name, (start, end) in zip(scores.names, statistics.intervals(scores.values), strict=True):
            held[name] += start <= truth[name] <= end
    print(
        f"n = {n}, errors {low} to {high}: " + ", ".join(f"{name} {100 * k / trials:.1f} %" for name, k in held.items())
    )
    for name in set(names) - {"clean_error"}:
        assert 0.93 <= held[name] / trials <= 0.97, (name, held[name])
    assert held["clean_error"] / trials >= 0.9  # one cell of n images: a coarse number


@pytest.mark.slow
def test_models_that_are_alike_differ_in_5_percent_of_1000_trials():
    generator = np.random.default_rng(2024)
    errors, normaliser, trials = flat_errors(0.05, 0.6), published_normaliser(), 1000
    outside = significant = 0
    for _ in range(trials):
        hardness = generator.normal(size=400)
        runs = []
        for _ in range(2):
            wrong = {
                cell: hardness + generator.normal(size=400) < 1.5 * stats.norm.ppf(error)
                for cell, error in errors.items()
            }
            runs.append(weighted(wrong, normaliser, ["mce15"]).values)
        difference = runs[0] - runs[1]
        ((low, high),) = statistics.paired_intervals(difference)
        outside += low > 0 or high < 0
        significant += statistics.paired_p_values(difference, flips=999)[0] < 0.05
    print(f"interval excludes 0: {100 * outside / trials:.1f} %, p < 0.05: {100 * significant / trials:.1f} %")
    assert 0.03 <= outside / trials <= 0.07
    assert 0.03 <= significant / trials <= 0.07


@pytest.mark.slow
def test_corrected_p_values_make_a_false_finding_in_at_most_5_percent_of_500_trials():
    generator = np.random.default_rng(2024)
    errors, trials = {cell: 0.2 for cell in ALL_CELLS if cell != CLEAN_CELL}, 500
    names = [f"error.{name}" for name in CORRUPTIONS]
    found = 0
    for _ in range(trials):
        runs = [weighted(simulated(generator, 300, errors), None, names).values for _ in range(2)]
        corrected = statistics.holm(statistics.paired_p_values(runs[0] - runs[1], flips=1999))
        found += min(corrected) < 0.05
    print(f"any of {len(CORRUPTIONS)} corruptions: {100 * found / trials:.1f} %")
    assert found / trials <= 0.07


def test_the_simulation_has_the_errors_it_promises():
    errors = dict.fromkeys(ALL_CELLS[:3], 0.3)
    wrong = simulated(np.random.default_rng(0), 100_000, errors)
    assert [bits.mean() for bits in wrong.values()] == pytest.approx([0.3] * 3, abs=0.005)
    together = np.corrcoef(list(wrong.values()))[0, 1]
    assert together > 0.2  # an image that is hard in one cell is hard in the others


@pytest.mark.parametrize("most", [statistics.SHARED_BYTES, 100])
def test_networks_that_share_their_drawings_have_the_same_intervals(monkeypatch, most):
    monkeypatch.setattr(statistics, "SHARED_BYTES", most)
    draws = statistics.SharedDraws()
    for scores in (SKEWED, SKEWED[:, :1], SKEWED[:70], SKEWED):
        shared = statistics.intervals(scores, draws=draws)
        assert np.array_equal(shared, statistics.intervals(scores))


def test_drawings_are_made_once(monkeypatch):
    made, whole = [], statistics._drawings
    monkeypatch.setattr(statistics, "_drawings", lambda *asked: made.append(asked) or whole(*asked))
    draws = statistics.SharedDraws()
    for _ in range(3):
        statistics.intervals(SKEWED, draws=draws)
    assert made == [(len(SKEWED), statistics.RESAMPLES, statistics.SEED)]
