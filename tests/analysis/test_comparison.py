"""Paired comparisons: what is paired with what, and the numbers of small cases."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

import lst_robust
from lst_robust.analysis.comparison import compare
from lst_robust.analysis.evaluation import Evaluation
from lst_robust.analysis.selection import label
from lst_robust.benchmark import CLEAN_CELL, SEVERITIES, Cell
from lst_robust.errors import DataError, NothingToEvaluateError, UsageError
from lst_robust.records.store import Store
from lst_robust.suites.normaliser import NAMED
from tests.analysis.simulated import ALL_CELLS, HALF, measured, simulated, stored, with_identity

N = 200


def wrong_in(fraction: float, n: int = N, cells=ALL_CELLS) -> dict:
    """The first so many images are wrong, in all cells."""
    return {cell: np.arange(n) < fraction * n for cell in cells}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path)


def evaluation(run, normaliser=HALF) -> Evaluation:
    return Evaluation(run.run, run.records, normaliser)


def test_a_difference_that_is_known():
    a, b = measured("a", wrong_in(0.30)), measured("b", wrong_in(0.25))
    comparison = lst_robust.compare(evaluation(a), evaluation(b))
    mce = comparison.metrics["mce15"]
    assert (mce.a, mce.b, mce.difference) == pytest.approx((60, 50, 10))
    # Ten of 200 images differ, each by 200 points of CE: a binomial number of them is drawn.
    low, high = (200 / N * k for k in stats.binom.ppf([0.025, 0.975], N, 10 / N))
    assert (mce.low, mce.high) == pytest.approx((low, high), abs=1.01)
    assert mce.p_value == pytest.approx(stats.binomtest(0, 10).pvalue, abs=1e-3)  # all ten against a
    fog = comparison.corruptions["fog"]
    assert comparison.quantity == "ce" and fog.difference == pytest.approx(10)
    assert fog.p_holm == pytest.approx(19 * fog.p_value)
    assert comparison.metrics["clean_error"].difference == pytest.approx(5)
    assert comparison.pairs == () and mce.seeds is None


def test_pairing_removes_what_is_hard_for_both():
    """Two models that err on nearly the same images: the difference is known far better than either error."""
    generator = np.random.default_rng(0)
    wrong = simulated(generator, N, dict.fromkeys(ALL_CELLS, 0.4), likeness=3)
    other = {cell: bits ^ (generator.random(N) < 0.01) for cell, bits in wrong.items()}
    a, b = measured("a", wrong), measured("b", other)
    difference = compare(evaluation(a), evaluation(b)).metrics["mce19"]
    low, high = evaluation(a).summary().intervals.metrics["mce19"]
    assert difference.high - difference.low < 0.1 * (high - low)


def test_names_find_records(store):
    stored(store, measured("a", wrong_in(0.3)))
    stored(store, measured("b", wrong_in(0.2)))
    comparison = compare("a", "b", suite="digits-c", results_dir=store.results_dir)
    assert comparison.metrics["mean_corruption_error"].difference == pytest.approx(10)
    assert comparison.normaliser == "alexnet-digits-c"
    assert "relative_mce" not in comparison.metrics  # not defined on this suite
    data = json.loads(json.dumps(comparison.to_dict()))
    assert data["metrics"]["mce15"]["p_value"] == comparison.metrics["mce15"].p_value
    assert data["protocol"]["n"] == N
    none = compare("a", "b", normaliser="none", results_dir=store.results_dir)
    assert set(none.metrics) == {"clean_error", "mean_corruption_error"} and none.quantity == "error"
    assert none.corruptions["fog"].difference == pytest.approx(10)


def test_seeds_are_paired_and_their_spread_is_told(store):
    for seed, (a, b) in enumerate([(0.30, 0.25), (0.40, 0.30), (0.20, 0.20)]):
        stored(store, measured("a", wrong_in(a), weights=f"a{seed}", train_seed=seed))
        stored(store, measured("b", wrong_in(b), weights=f"b{seed}", train_seed=seed))
    stored(store, measured("b", wrong_in(0.9), weights="b9", train_seed=9))
    comparison = compare("a", "b", results_dir=store.results_dir)
    value = comparison.metrics["mean_corruption_error"]
    assert (value.a, value.b, value.difference) == pytest.approx((30, 25, 5))
    assert value.seeds[:3] == pytest.approx((5, 5, 3))  # of 5, 10 and 0
    assert (value.seeds.low, value.seeds.high) == pytest.approx((5 - 12.42, 5 + 12.42), abs=0.01)  # 4.303 · 5 / √3
    fog = [pair.corruptions["fog"].difference for pair in comparison.pairs]
    assert comparison.corruptions["fog"].seeds.std == pytest.approx(np.std(fog, ddof=1))
    assert [pair.metrics["clean_error"].difference for pair in comparison.pairs] == pytest.approx([5, 10, 0])
    assert comparison.pairs[0].a.startswith("a@seed0@")
    assert any("b@seed9" in note for note in comparison.notes)
    assert comparison.to_dict()["metrics"]["clean_error"]["seeds"]["n"] == 3
    one = compare("a@seed1", "b@seed9", results_dir=store.results_dir)
    assert one.metrics["clean_error"].difference == pytest.approx(-50) and one.pairs == ()


def test_runs_that_were_measured_in_another_way_are_named(store):
    for seed in range(2):
        stored(store, measured("a", wrong_in(0.3), weights=f"a{seed}", train_seed=seed))
        stored(store, measured("b", wrong_in(0.2), weights=f"b{seed}", train_seed=seed))
    other = stored(store, measured("b", wrong_in(0.9), weights="b2", train_seed=2, engine="lst-robust-torch 1"))
    comparison = compare("a", "b", results_dir=store.results_dir)
    assert comparison.notes == (f"left out, because they were measured in another way: {label(other.run)}",)
    assert len(comparison.pairs) == 2
    assert compare("a@seed0", "b@seed0", results_dir=store.results_dir).notes == ()


def test_two_sides_of_one_model_are_called_as_they_were_named(store):
    for seed in range(2):
        for tau in (0.1, 0.2):
            run = measured("a", wrong_in(tau), weights=f"{seed}{int(10 * tau)}", train_seed=seed)
            stored(store, with_identity(run, options={"tau": tau}))
    comparison = compare("a@tau=0.1", "a@tau=0.2", results_dir=store.results_dir)
    assert (comparison.a, comparison.b) == ("a@tau=0.1", "a@tau=0.2")
    assert comparison.metrics["clean_error"].difference == pytest.approx(-10)


def test_names_that_mean_several_runs_list_the_choices(store):
    first = stored(store, measured("a", wrong_in(0.3), weights="aaaa"))
    second = stored(store, measured("a", wrong_in(0.2), weights="bbbb"))
    stored(store, measured("b", wrong_in(0.1)))
    with pytest.raises(UsageError) as caught:
        compare("a", "b", results_dir=store.results_dir)
    assert label(first.run) in str(caught.value) and label(second.run) in str(caught.value)
    assert "\n" not in str(caught.value)
    for chosen in (label(second.run), f"a@{second.run.digest}", "a@bbbbbb", "a@seed0@bbbb", "a (seed 0, bbbbbb)"):
        comparison = compare(chosen, "b", results_dir=store.results_dir)
        assert comparison.metrics["clean_error"].difference == pytest.approx(10)


def test_networks_of_other_options_are_no_trainings_of_one(store):
    for seed in range(3):
        a = measured("a", wrong_in(0.3), weights=f"a{seed}", train_seed=seed)
        stored(store, with_identity(a, options={"tau": 0.1}) if seed == 2 else a)
        stored(store, measured("b", wrong_in(0.25), weights=f"b{seed}", train_seed=seed))
    with pytest.raises(UsageError, match="several runs that have different options: choose from a@seed0"):
        compare("a", "b", results_dir=store.results_dir)
    chosen = compare("a@tau=0.1", "b@seed2", results_dir=store.results_dir)
    assert chosen.metrics["clean_error"].difference == pytest.approx(5)


def test_over_several_trainings_interval_and_p_value_are_of_each_images_mean(store):
    """Image i is wrong by a where by b it is not in all trainings, in some or in none."""
    n, generator = 400, np.random.default_rng(3)
    differences = np.zeros(n)
    for seed in range(3):
        wrong = generator.random(n) < 0.30, generator.random(n) < 0.24
        differences += (wrong[0].astype(float) - wrong[1]) / 3
        for name, bits in zip("ab", wrong, strict=True):
            cells = dict.fromkeys((CLEAN_CELL, Cell("fog", 1)), bits)
            stored(store, measured(name, cells, weights=f"{name}{seed}", train_seed=seed))
    found = compare("a", "b", normaliser="none", results_dir=store.results_dir).metrics["clean_error"]
    half = 100 * 1.96 * differences.std() / np.sqrt(n)
    assert found.difference == pytest.approx(100 * differences.mean())
    assert (found.low, found.high) == pytest.approx((found.difference - half, found.difference + half), abs=0.5)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(found.difference) / (half / 1.96)), rel=0.3)
    of_first = compare("a@seed0", "b@seed0", normaliser="none", results_dir=store.results_dir).metrics["clean_error"]
    assert found.high - found.low < 0.8 * (of_first.high - of_first.low)


def test_a_trial_on_fewer_images_needs_to_be_told_from_the_whole(store):
    for name in ("a", "b"):
        stored(store, measured(name, wrong_in(0.3), weights=name))
        stored(store, measured(name, wrong_in(0.5, 10), weights=name, images="e" * 16))
    with pytest.raises(UsageError, match=r"mean several runs that are of several protocols: .*n 10.*n 200"):
        compare("a", "b", results_dir=store.results_dir)
    assert compare("a@n10", "b", results_dir=store.results_dir).protocol.n == 10


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, r"seed \(0, 1\)"),
        ({"images": "e" * 16}, "images"),
        ({"engine": "lst-robust 2"}, "in the same way$"),
        ({"engine": "lst-robust-torch 1"}, r"in the same way \(--engine cpu\)$"),
    ],
)
def test_other_protocols_are_not_compared(store, change, words):
    stored(store, measured("a", wrong_in(0.3)))
    stored(store, measured("b", wrong_in(0.2), **change))
    with pytest.raises(DataError, match=words):
        compare("a", "b", results_dir=store.results_dir)


def test_the_name_of_the_data_is_for_people(store):
    stored(store, measured("a", wrong_in(0.3)))
    stored(store, measured("b", wrong_in(0.2), data="the same images in another folder"))
    assert compare("a", "b", results_dir=store.results_dir).metrics["mce19"].difference > 0


def test_only_cells_that_both_have_are_compared(store):
    some = [CLEAN_CELL, *(Cell("fog", severity) for severity in (1, 2, 3, 4, 5)), Cell("snow", 1)]
    stored(store, measured("a", wrong_in(0.3)))
    stored(store, measured("b", wrong_in(0.2, cells=some)))
    comparison = compare("a", "b", results_dir=store.results_dir)
    assert set(comparison.corruptions) == {"fog"}
    assert "only the 7 cells" in comparison.notes[0]
    assert comparison.notes[1] == "without all severities, and so without a CE, left out: snow"
    stored(store, measured("c", wrong_in(0.2, cells=[CLEAN_CELL])))
    with pytest.raises(NothingToEvaluateError, match="no corrupted cell"):
        compare("a", "c", results_dir=store.results_dir)


def test_what_cannot_be_compared(store):
    run = stored(store, measured("a", wrong_in(0.3)))
    with pytest.raises(UsageError, match="same run"):
        compare("a", "a", results_dir=store.results_dir)
    with pytest.raises(NothingToEvaluateError, match="choose from a@seed0"):
        compare("a", "resnet18", results_dir=store.results_dir)
    other = measured("b", wrong_in(0.2))
    with pytest.raises(UsageError, match="normalisers"):
        compare(evaluation(run), evaluation(other, None))
    with pytest.raises(UsageError, match="not one of each"):
        compare("a", evaluation(other), results_dir=store.results_dir)


def with_own(run, share: float):
    """A run with the cells of a corruption that is not known here, which begin with wrong images."""
    fog = {cell: record for cell, record in run.records.items() if cell.corruption == "fog"}
    (_, records, _) = measured(run.run.model.name, {cell: np.arange(N) < share * N for cell in fog})
    own = {
        Cell("my_fog", cell.severity): record.model_copy(update={"corruption": "my_fog"})
        for cell, record in records.items()
    }
    return run._replace(records=run.records | own)


def test_a_corruption_of_ones_own_is_compared_by_its_errors():
    runs = [with_own(measured(name, wrong_in(0.3)), share) for name, share in (("a", 0.8), ("b", 0.2))]
    plain = compare(*(evaluation(run, None) for run in runs))
    assert list(plain.corruptions)[-1] == "my_fog"
    assert plain.corruptions["my_fog"].difference == pytest.approx(60)
    assert plain.metrics["mean_corruption_error"].difference == 0
    normalised = compare(*(evaluation(run) for run in runs))
    assert "my_fog" not in normalised.corruptions
    assert normalised.notes == ("without errors of half, and so without a CE, left out: my_fog",)


def test_the_caution_of_the_normaliser_is_told():
    first, second = (measured(name, wrong_in(share)) for name, share in (("a", 0.4), ("b", 0.5)))
    normaliser = NAMED["alexnet-testbed-in-memory"]()
    notes = compare(evaluation(first, normaliser), evaluation(second, normaliser)).notes
    assert any(note.startswith("Caution: alexnet-testbed-in-memory") for note in notes)
    assert not any("Caution" in note for note in compare(evaluation(first), evaluation(second)).notes)


def test_a_corruption_that_is_left_out_of_the_ces_is_named_with_the_reason():
    cells = [Cell("fog", severity) for severity in SEVERITIES]
    cells += [Cell(name, severity) for name in ("frost", "snow") for severity in (1, 2, 3)]
    cells += [Cell("contrast", severity) for severity in SEVERITIES]
    without_contrast = HALF.model_copy(update={"errors": {k: v for k, v in HALF.errors.items() if k != "contrast"}})
    runs = [measured(name, wrong_in(share, cells=cells)) for name, share in (("a", 0.3), ("b", 0.2))]
    comparison = compare(*(evaluation(run, without_contrast) for run in runs))
    assert list(comparison.corruptions) == ["fog"]
    assert comparison.notes == (
        "without errors of half, and so without a CE, left out: contrast",
        "without all severities, and so without a CE, left out: snow, frost",
    )
    by_errors = compare(*(evaluation(run, None) for run in runs))  # which need no normaliser and not all severities
    assert len(by_errors.corruptions) == 4 and by_errors.notes == ()
