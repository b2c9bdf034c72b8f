"""Means, intervals and differences of scores that are written down here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lst_robust.analysis.features import (
    ALL_LAYERS,
    CORRUPTED,
    MEASURES,
    FeatureStatistics,
    LayerScores,
    NetworkFeatures,
    _ends,
    measure_named,
)
from lst_robust.analysis.statistics import intervals, paired_intervals
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import UsageError

FOG, SNOW = Cell("fog", 3), Cell("snow", 3)


def layer(name: str, size: int, clean: list[float], fog: list[float], snow: list[float]) -> LayerScores:
    scores = {cell: {"hoyer": np.array(values)} for cell, values in ((CLEAN_CELL, clean), (FOG, fog), (SNOW, snow))}
    scores[FOG]["cosine"] = scores[SNOW]["cosine"] = np.array([1.0, 0.5, 0.9])
    return LayerScores(name, 8, size, size, 0, scores)


def network(model: str, seed: int, shift: float = 0.0, trained: bool = True) -> NetworkFeatures:
    return NetworkFeatures(
        f"{model}@seed{seed}" + ("" if trained else " untrained"),
        model,
        seed,
        trained,
        (
            layer("a", 32, [0.1 + shift, 0.2, 0.3], [0.4, 0.5, 0.6], [0.6, 0.7, 0.8]),
            layer("b", 16, [0.3 + shift, 0.4, 0.5], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]),
        ),
    )


@pytest.fixture
def statistics() -> FeatureStatistics:
    networks = (network("x", 0), network("x", 1, 0.3), network("y", 0, 0.6), network("x", 0, 0.9, trained=False))
    return FeatureStatistics("digits-c", "output", 0.1, ("i", "j", "k"), (CLEAN_CELL, FOG, SNOW), networks)


def value(table, **where) -> dict:
    for key, wanted in where.items():
        table = table[table[key] == wanted]
    (row,) = table.to_dict("records")
    return row


def test_means_of_layers_of_maps_and_of_cells(statistics) -> None:
    table = statistics.table()
    own = {"network": "x@seed0", "measure": "hoyer"}
    assert value(table, **own, layer="a", cell="clean")["mean"] == pytest.approx(0.2)
    assert value(table, **own, layer=ALL_LAYERS, cell="clean")["mean"] == pytest.approx(0.3)
    assert value(table, **own, layer="maps of 16 x 16", cell="clean")["mean"] == pytest.approx(0.4)
    assert value(table, **own, layer="a", cell="fog-3")["mean"] == pytest.approx(0.5)
    assert value(table, **own, layer="a", cell=CORRUPTED)["mean"] == pytest.approx(0.6)
    assert value(table, **own, layer="b", cell="clean")["number"] == 2
    assert "cosine" not in set(table[table["cell"] == "clean"]["measure"])
    assert set(statistics.table(layers=False)["layer"]) == {ALL_LAYERS, "maps of 32 x 32", "maps of 16 x 16"}


def test_intervals_are_those_of_the_scores(statistics) -> None:
    row = value(statistics.table(), network="x@seed0", measure="hoyer", layer="a", cell="clean")
    ((low, high),) = intervals(np.array([[0.1], [0.2], [0.3]]))
    assert (row["low"], row["high"], row["n"]) == (low, high, 3)


def test_differences_are_paired_by_image(statistics) -> None:
    found = statistics.difference("y@seed0", "x@seed0")
    row = value(found, layer=ALL_LAYERS, cell="clean", measure="hoyer")
    assert (row["a"], row["b"], row["difference"]) == pytest.approx((0.5, 0.3, 0.2))
    ((low, high),) = paired_intervals(np.array([[0.6], [0.0], [0.0]]))
    assert (row["low"], row["high"]) == (low, high)
    assert value(found, layer=ALL_LAYERS, cell="fog-3", measure="hoyer")["difference"] == 0
    with pytest.raises(UsageError, match="unknown network 'z'"):
        statistics.difference("z", "x@seed0")


def test_trainings_together(statistics) -> None:
    together = statistics.over_seeds()
    assert [(one.label, one.seed) for one in together.networks] == [("x", None), ("y", 0), ("x untrained", 0)]
    assert together.network("x").layers[0].scores[CLEAN_CELL]["hoyer"] == pytest.approx([0.25, 0.2, 0.3])


def folded(*networks: NetworkFeatures) -> list[tuple[str, int | None]]:
    found = FeatureStatistics("s", "output", 0.1, ("i", "j", "k"), (CLEAN_CELL, FOG, SNOW), networks).over_seeds()
    return [(one.label, one.seed) for one in found.networks]


@pytest.mark.parametrize(
    "other",
    [{"options": {"threshold": 0.1}}, {"structure": "abc"}, {"layers": network("x", 0).layers[:1]}],
    ids=["options", "structure", "layers"],
)
def test_trainings_of_other_networks_under_the_same_name_stay_apart(other) -> None:
    networks = [network("x", 0), network("x", 1), replace(network("x", 2), **other), replace(network("x", 3), **other)]
    assert folded(*networks) == [("x@seed0 + x@seed1", None), ("x@seed2 + x@seed3", None)]
    assert folded(networks[0], networks[2], network("y", 0)) == [("x@seed0", 0), ("x@seed2", 2), ("y", 0)]


def test_networks_whose_seeds_are_not_known_or_equal_are_not_taken_together() -> None:
    """Two networks of the class Net are not trainings of one recipe."""
    nets = [replace(network("Net", 0), label=f"Net@{digits}", seed=None) for digits in ("aaaaaa", "bbbbbb")]
    assert folded(*nets) == [("Net@aaaaaa", None), ("Net@bbbbbb", None)]
    assert folded(nets[0], network("Net", 0), network("Net", 1)) == [
        ("Net@seed0 + Net@seed1", None), ("Net@aaaaaa", None),
    ]  # fmt: skip
    twice = [replace(network("x", seed), label=label) for seed, label in ((0, "x@a"), (0, "x@b"), (1, "x@c"))]
    assert folded(*twice) == [("x@a", 0), ("x@b", 0), ("x@c", 1)]


def test_labels_of_taken_together_networks_find_their_rows() -> None:
    networks = (network("x", 0), network("x", 1, 0.3), replace(network("x", 2, 0.6), structure="abc"))
    found = FeatureStatistics("s", "output", 0.1, ("i", "j", "k"), (CLEAN_CELL, FOG, SNOW), networks).over_seeds()
    assert found.network("x@seed0 + x@seed1").layers[0].scores[CLEAN_CELL]["hoyer"][0] == pytest.approx(0.25)
    difference = found.difference("x@seed2", "x@seed0 + x@seed1")
    row = value(difference, layer=ALL_LAYERS, cell="clean", measure="hoyer")
    assert row["difference"] == pytest.approx(0.15)


def test_one_corrupted_cell_has_no_mean_of_its_own(statistics) -> None:
    single = FeatureStatistics("s", "output", 0.1, ("i", "j", "k"), (CLEAN_CELL, FOG), statistics.networks)
    assert set(single.table()["cell"]) == {"clean", "fog-3"}


def test_json_has_no_nan(statistics) -> None:
    found = statistics.to_dict()
    assert found["n"] == 3 and found["cells"] == ["clean", "fog-3", "snow-3"]
    assert found["scale_free"] == {"hoyer": True, "cosine": True}
    assert all(one == one for row in found["rows"] for one in row.values())
    assert found["rows"][0]["number"] is None and isinstance(found["rows"][-1]["number"], int)


def test_every_measure_says_whether_scale_matters() -> None:
    assert {name for name, one in MEASURES.items() if not one.scale_free} == {"small", "amplitude"}
    assert measure_named("band_v1_h0").title == "band 1,0"


def test_intervals_of_small_scores_keep_their_digits() -> None:
    scores = np.array([[1.0], [2.0], [4.0]]) * 2.0**-20
    assert _ends(scores, intervals)[0] == pytest.approx(np.array(intervals(scores * 2.0**18))[0] * 2.0**-18, rel=1e-6)
    assert _ends(np.zeros((3, 1)), intervals) == [(0, 0)]
