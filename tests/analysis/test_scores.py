"""Scores of images average to exactly the metrics."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.analysis.corruption_errors import relative_corruption_error
from lst_robust.analysis.metrics import image_metrics
from lst_robust.analysis.quantities import part
from lst_robust.analysis.scores import Scores, all_corruptions, by_corruption, cell_weights, image_scores, weighted
from lst_robust.analysis.summary import summarise
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, SEVERITIES, Cell
from lst_robust.suites.normaliser import Normaliser, published_normaliser
from tests.analysis.simulated import ALL_CELLS, HALF, SUITE, measured

N = 60


def random_wrong(cells=ALL_CELLS, seed: int = 0) -> dict:
    generator = np.random.default_rng(seed)
    return {cell: generator.random(N) < rate for cell, rate in zip(cells, generator.random(len(cells)), strict=True)}


@pytest.mark.parametrize("normaliser", [HALF, published_normaliser(), SUITE.normaliser])
def test_means_of_scores_are_the_numbers_of_the_summary(normaliser):
    run, records, _ = measured("a", random_wrong())
    summary = summarise(run, records, normaliser, intervals=False)
    means = image_scores(records, normaliser).means()
    for name, value in summary.metrics.items():
        assert means.get(name) == (None if value is None else pytest.approx(value, rel=1e-12))
    for name in CORRUPTIONS:
        assert means[part("ce", name)] == pytest.approx(summary.ce[name], rel=1e-12)
        assert means[part("error", name)] == pytest.approx(sum(summary.errors[name]) / 5, rel=1e-12)
        relative = relative_corruption_error(
            summary.errors[name], summary.metrics["clean_error"], normaliser.errors[name], normaliser.clean_error
        )
        assert means.get(part("relative_ce", name)) == (None if relative is None else pytest.approx(relative))


@pytest.mark.parametrize("normaliser", [HALF, published_normaliser(), SUITE.normaliser, None])
def test_a_metric_is_its_weights_times_the_errors(normaliser):
    errors = np.random.default_rng(0).uniform(0, 100, len(ALL_CELLS))
    weights = cell_weights(ALL_CELLS, normaliser)
    for metric in image_metrics():
        value = metric.of(dict(zip(ALL_CELLS, errors.tolist(), strict=True)), normaliser)
        if value is None:
            assert metric.name not in weights
        else:
            assert weights[metric.name] @ errors == pytest.approx(value, rel=1e-12)


def test_metrics_are_the_means_of_their_parts():
    means = weighted(random_wrong(), HALF).means()
    for metric in image_metrics():
        if metric.parts:
            parts = [means[name] for name in metric.parts]
            assert means[metric.name] == pytest.approx(sum(parts) / len(parts))


def test_a_corruption_of_ones_own_has_scores_and_moves_no_metric():
    own = {Cell("my_fog", severity): np.ones(N, bool) for severity in SEVERITIES}
    wrong = random_wrong()
    before, after = weighted(wrong, HALF).means(), weighted(wrong | own, HALF).means()
    assert after == pytest.approx(before | {"error.my_fog": 100})


def test_all_corruptions_begin_with_the_papers():
    assert all_corruptions(["z", "fog", "clean", "a"]) == (*CORRUPTIONS, "a", "z")
    found = by_corruption("ce", {"ce.z": 1, "error.a": 2, "ce.snow": 3, "mce15": 4, "ce.shot_noise": 5})
    assert list(found.items()) == [("shot_noise", 5), ("snow", 3), ("z", 1)]


def test_what_is_not_complete_has_no_score():
    cells = [cell for cell in ALL_CELLS if cell not in (Cell("spatter", 2), CLEAN_CELL)]
    weights = cell_weights(cells, HALF)
    assert "mce15" in weights and "mean_corruption_error" in weights
    assert not {"mce19", "ce.spatter", "clean_error", "relative_mce", "relative_ce.fog"} & set(weights)
    assert "error.spatter" in weights
    without = cell_weights(ALL_CELLS, None)
    assert {name.partition(".")[0] for name in without} == {"clean_error", "mean_corruption_error", "error"}
    assert cell_weights([], HALF) == {}


def normaliser(**errors: tuple[float, ...]) -> Normaliser:
    """With a clean error of 10 %, and of these corruptions only."""
    return Normaliser(name="some", clean_error=10.0, errors=errors, made_with={})


def test_weights_by_hand():
    cells = [CLEAN_CELL, *(Cell("fog", severity) for severity in SEVERITIES), Cell("snow", 2), Cell("snow", 4)]
    weights = cell_weights(cells, normaliser(fog=(20.0, 20.0, 20.0, 20.0, 20.0), snow=(20.0,) * 5))
    assert weights["clean_error"].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert weights["mean_corruption_error"] == pytest.approx([0, *[1 / 7] * 7])
    assert weights["error.fog"] == pytest.approx([0, *[0.2] * 5, 0, 0])
    assert weights["error.snow"] == pytest.approx([0] * 6 + [0.5, 0.5])
    assert weights["ce.fog"] == pytest.approx([0, *[1] * 5, 0, 0])  # 100 / (5 · 20 %)
    assert weights["relative_ce.fog"] == pytest.approx([-10, *[2] * 5, 0, 0])  # 100 / (5 · 10 %)
    assert set(weights) == {
        "clean_error", "mean_corruption_error", "error.fog", "error.snow", "ce.fog", "relative_ce.fog"
    }  # fmt: skip


def test_a_relative_ce_needs_a_normaliser_that_gets_worse():
    same = cell_weights(ALL_CELLS, normaliser(fog=(10.0,) * 5, snow=(10.1,) * 5, frost=(9.0,) * 5))
    assert "relative_ce.fog" not in same and "relative_ce.frost" not in same
    assert same["relative_ce.snow"].max() == pytest.approx(100 / 0.5)


def test_a_corruption_that_the_normaliser_lacks_leaves_the_others():
    weights = cell_weights(ALL_CELLS, normaliser(spatter=(50.0,) * 5))
    assert {name for name in weights if name.startswith("ce.")} == {"ce.spatter"}
    assert {name for name in weights if name.startswith("error.")} == {f"error.{name}" for name in CORRUPTIONS}


def test_scores_and_their_names_are_as_many():
    assert Scores(("a", "b"), np.array([[1.0, 2.0], [3.0, 6.0]])).means() == {"a": 2, "b": 4}
    with pytest.raises(ValueError):
        Scores(("a",), np.zeros((3, 2))).means()


def test_scores_of_no_name_have_no_columns():
    none = weighted(random_wrong(), HALF, [])
    assert none.names == () and none.values.shape == (0, 0)
    records = measured("a", random_wrong()).records
    assert image_scores(records, HALF, ["mce15", "ce.fog"]).names == ("mce15", "ce.fog")


def test_only_the_wanted_scores():
    wrong = {Cell("fog", severity): np.array([True, False, False, True]) for severity in SEVERITIES}
    scores = weighted(wrong, HALF, ["ce.fog", "mce15", "nonsense"])
    assert scores.names == ("ce.fog",)
    assert scores.values.tolist() == [[200], [0], [0], [200]]
    assert weighted(wrong, HALF, ["mce15"]).values.size == 0
