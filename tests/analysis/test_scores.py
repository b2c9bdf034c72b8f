"""Scores of images average to exactly the metrics of `lst_robust.evaluation.metrics`."""

from __future__ import annotations

import numpy as np
import pytest
from lst_robust.analysis.results import summarise

from lst_robust.analysis import metrics
from lst_robust.analysis.scores import METRICS, PARTS, Scores, cell_weights, image_scores, part, weighted
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, SEVERITIES, Cell
from lst_robust.suites.normaliser import Normaliser, published_normaliser
from tests.analysis.simulated import ALL_CELLS, HALF, SUITE, measured

N = 60


def random_wrong(cells=ALL_CELLS, seed: int = 0) -> dict:
    generator = np.random.default_rng(seed)
    return {cell: generator.random(N) < rate for cell, rate in zip(cells, generator.random(len(cells)), strict=True)}


@pytest.mark.parametrize("normaliser", [HALF, published_normaliser(), SUITE.normaliser])
def test_means_of_scores_are_the_metrics(normaliser):
    run, records, _ = measured("a", random_wrong())
    summary = summarise(run, records, normaliser)
    means = image_scores(records, normaliser).means()
    for name in METRICS:
        assert means.get(name) == (summary[name] if summary[name] is None else pytest.approx(summary[name], rel=1e-6))
    for name in CORRUPTIONS:
        assert means[part("ce", name)] == pytest.approx(summary["ce"][name], rel=1e-12)
        assert means[part("error", name)] == pytest.approx(sum(summary["errors"][name]) / 5, rel=1e-12)
        relative = metrics.relative_corruption_error(
            summary["errors"][name], summary["clean_error"], normaliser.errors[name], normaliser.clean_error
        )
        assert means.get(part("relative_ce", name)) == (relative if relative is None else pytest.approx(relative))


def test_metrics_are_the_means_of_their_parts():
    means = weighted(random_wrong(), HALF).means()
    for name, (quantity, corruptions) in PARTS.items():
        if corruptions:
            parts = [means[part(quantity, corruption)] for corruption in corruptions]
            assert means[name] == pytest.approx(sum(parts) / len(parts))


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
    assert image_scores(records, HALF, ["mce15", "ce.fog"]).names == ("ce.fog", "mce15")


def test_only_the_wanted_scores():
    wrong = {Cell("fog", severity): np.array([True, False, False, True]) for severity in SEVERITIES}
    scores = weighted(wrong, HALF, ["ce.fog", "mce15", "nonsense"])
    assert scores.names == ("ce.fog",)
    assert scores.values.tolist() == [[200], [0], [0], [200]]
    assert weighted(wrong, HALF, ["mce15"]).values.size == 0


def test_a_summary_has_an_interval_wherever_it_has_a_number():
    run, records, _ = measured("a", random_wrong())
    summary = summarise(run, records, HALF)
    for name in METRICS:
        low, high = summary["intervals"][name]
        assert low < summary[name] < high
    for name in CORRUPTIONS:
        low, high = summary["intervals"]["ce"][name]
        assert low < summary["ce"][name] < high
    assert summarise(run, records, HALF) == summary
    assert "intervals" not in summarise(run, records, HALF, intervals=False)
    none = summarise(run, {CLEAN_CELL: records[CLEAN_CELL]}, None)["intervals"]
    assert none["mce15"] is None and none["ce"]["fog"] is None and none["clean_error"] is not None
    nothing = summarise(run, {}, None)["intervals"]
    assert [nothing[name] for name in METRICS] == [None] * 5
