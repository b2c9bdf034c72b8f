"""Trainings of one network as one result."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.analysis.comparison import compare
from lst_robust.analysis.networks import collect_networks, collect_summaries
from lst_robust.analysis.statistics import spread
from lst_robust.analysis.summary import Summary
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, Cell
from lst_robust.errors import NothingToEvaluateError
from lst_robust.records.store import Store
from tests.analysis.simulated import ALL_CELLS, measured, simulated, stored, with_identity

RUNS = {("a", 0): 0.3, ("a", 1): 0.35, ("a", 2): 0.5, ("b", 0): 0.4, ("b", None): 0.4}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("folding"))
    generator = np.random.default_rng(0)
    for (name, seed), error in RUNS.items():
        wrong = simulated(generator, 200, dict.fromkeys(ALL_CELLS, error))
        stored(store, measured(name, wrong, weights=f"{seed}"[0], train_seed=seed))
    return store.results_dir


@pytest.fixture(scope="module")
def folded(results) -> dict[str, Summary]:
    return {one.label: one for one in collect_summaries(results, None, "suite", fold_seeds=True)}


@pytest.fixture(scope="module")
def single(results) -> list[Summary]:
    return [one for one in collect_summaries(results, None, "suite") if one.model.name == "a"]


def test_trainings_are_one_entry_and_single_runs_stay(folded):
    assert [len(one.trainings) for one in folded.values()] == [3, 0, 0]
    assert [*folded] == ["a", "b (NNNNNN)", "b (seed 0, 000000)"]
    assert [one.label for one in folded["a"].trainings] == [f"a (seed {i}, {str(i) * 6})" for i in range(3)]


def test_every_number_is_the_mean_of_the_trainings(folded, single):
    whole = folded["a"]
    for name, value in whole.metrics.items():
        each = [one.metrics[name] for one in single]
        assert value is None if None in each else value == pytest.approx(np.mean(each))
    assert whole.ce["fog"] == pytest.approx(np.mean([one.ce["fog"] for one in single]))
    assert whole.errors["fog"][2] == pytest.approx(np.mean([one.errors["fog"][2] for one in single]))


def test_spreads_are_those_over_the_trainings(folded, single):
    spreads = folded["a"].spreads
    assert spreads["mce15"] == spread([one.metrics["mce15"] for one in single])
    assert spreads["ce.fog"].std == pytest.approx(np.std([one.ce["fog"] for one in single], ddof=1))
    assert spreads["error.fog"].mean == pytest.approx(np.mean(folded["a"].errors["fog"]))
    assert folded["b (NNNNNN)"].spreads == {}


def test_the_interval_is_over_images_as_that_of_a_comparison(folded, results):
    """An image's score is its mean over the trainings, so the interval is narrower than that of one training."""
    low, high = folded["a"].intervals.metrics["mean_corruption_error"]
    assert low < folded["a"].metrics["mean_corruption_error"] < high
    widths = [np.ptp(one.intervals.metrics["mean_corruption_error"]) for one in folded["a"].trainings]
    assert high - low < min(widths)
    assert compare("a@seed0", "a@seed1", results_dir=results).metrics["mce15"].a == pytest.approx(
        folded["a"].trainings[0].metrics["mce15"]
    )


def test_a_folded_summary_survives_its_json(folded):
    assert Summary.from_dict(folded["a"].to_dict()) == folded["a"]


@pytest.mark.parametrize(
    ("structures", "codes", "words"),
    [
        (["a", "a"], ["b", "b"], ""),
        ([None, "a"], [None, "b"], ""),  # an earlier release did not know it
        (["a", "c"], ["b", "b"], "the trainings of a differ in structure, "),
        (["a", "c"], ["b", "d"], "the trainings of a differ in structure and code, "),
    ],
)
def test_trainings_of_changed_code_are_folded_with_a_note(tmp_path, caplog, structures, codes, words):
    store = Store(tmp_path)
    for seed, (structure, code) in enumerate(zip(structures, codes, strict=True)):
        wrong = {cell: np.arange(20) < 5 for cell in ALL_CELLS}
        run = measured("a", wrong, weights=str(seed), train_seed=seed)
        stored(store, with_identity(run, structure=structure, code=code))
    (whole,) = collect_summaries(store.results_dir, None, "none", fold_seeds=True)
    assert len(whole.trainings) == 2
    doubts = [note for note in whole.notes if note.startswith("the trainings of a differ")]
    assert len(doubts) == bool(words) and all(doubt.startswith(words) for doubt in doubts)
    assert caplog.messages == doubts, "tables do not show the notes of a network"


def test_trainings_of_other_cells_or_options_are_not_folded(tmp_path):
    store = Store(tmp_path)
    generator = np.random.default_rng(0)
    wrong = simulated(generator, 50, {cell: 0.3 for cell in ALL_CELLS})
    stored(store, measured("a", wrong, train_seed=0))
    stored(store, measured("a", {cell: wrong[cell] for cell in ALL_CELLS[:3]}, weights="1", train_seed=1))
    stored(store, with_identity(measured("a", wrong, weights="2", train_seed=2), options={"tau": 0.1}))
    summaries = collect_summaries(store.results_dir, None, "none", fold_seeds=True)
    assert len(summaries) == 3 and not any(one.trainings for one in summaries)


@pytest.mark.parametrize("intervals", [True, False])
def test_trainings_of_which_one_lacks_the_clean_cell_are_not_folded(tmp_path, intervals):
    """As where the file of that cell is damaged."""
    store = Store(tmp_path)
    wrong = simulated(np.random.default_rng(0), 50, dict.fromkeys(ALL_CELLS, 0.3))
    for seed, cells in enumerate((ALL_CELLS, ALL_CELLS, [cell for cell in ALL_CELLS if cell != CLEAN_CELL])):
        stored(store, measured("a", {cell: wrong[cell] for cell in cells}, weights=str(seed), train_seed=seed))
    summaries = collect_summaries(store.results_dir, None, "suite", intervals=intervals, fold_seeds=True)
    assert [one.label for one in summaries] == ["a (seed 2, 222222)", "a (seeds 0+1)"]


def test_a_cell_that_was_not_measured_stays_missing(tmp_path):
    store = Store(tmp_path)
    wrong = simulated(np.random.default_rng(0), 50, {Cell("fog", 1): 0.3})
    for seed in (0, 1):
        stored(store, measured("a", wrong, weights=str(seed), train_seed=seed))
    (one,) = collect_summaries(store.results_dir, None, "suite", fold_seeds=True)
    assert one.errors["fog"][1] is None and one.metrics["mce15"] is None
    assert set(one.errors) == set(CORRUPTIONS) and "ce.fog" not in one.spreads


def test_models_are_chosen_by_name_pattern_or_selector(results):
    def chosen(*models: str) -> list[str]:
        return [one.summary.label for one in collect_networks(results, None, "suite", fold_seeds=True, models=models)]

    assert chosen("a") == chosen("a*") == ["a"]
    assert chosen("a@seed1", "b@seed0") == ["a", "b"]
    with pytest.raises(NothingToEvaluateError, match=r"no records of 'c\*': choose from a@seed0"):
        chosen("a", "c*")


def test_a_checkpoint_that_was_measured_twice_is_not_two_trainings(tmp_path):
    """As after a change of the code: nobody knows which of the two runs counts."""
    store = Store(tmp_path)
    wrong = simulated(np.random.default_rng(0), 50, dict.fromkeys(ALL_CELLS, 0.3))
    first = stored(store, measured("a", wrong, weights="0", train_seed=0))
    stored(store, with_identity(first, structure="other"))
    stored(store, measured("a", wrong, weights="1", train_seed=1))
    summaries = collect_summaries(store.results_dir, None, "none", fold_seeds=True)
    assert len(summaries) == 3 and not any(one.trainings for one in summaries)


def test_two_groups_of_trainings_have_labels_of_their_own_that_select_them(tmp_path):
    store = Store(tmp_path)
    generator = np.random.default_rng(0)
    for seed in range(4):
        cells = ALL_CELLS if seed < 2 else ALL_CELLS[:10]
        wrong = simulated(generator, 50, dict.fromkeys(cells, 0.3))
        stored(store, measured("a", wrong, weights=str(seed), train_seed=seed))

    def labels(*models: str) -> list[str]:
        networks = collect_networks(store.results_dir, None, "none", fold_seeds=True, models=models)
        return [network.summary.label for network in networks]

    assert labels() == ["a (seeds 0+1)", "a (seeds 2+3)"]
    assert labels("a (seeds 2+3)") == labels("a (seeds 2+3) (2 trainings)") == ["a"]
