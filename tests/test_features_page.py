"""What docs/features.md says in words is what its numbers say."""

from __future__ import annotations

import pandas as pd
import pytest
from PIL import Image

from benchmarks.features import DOCS, RESULTS

MEANS, DIFFERENCES = (pd.read_csv(RESULTS / f"{name}.csv") for name in ("features", "feature_differences"))


def difference(a: str, b: str, measure: str, *, step: str = "output", cell: str = "clean", layer: str = "all layers"):
    found = DIFFERENCES
    for key, wanted in (
        ("network_a", a), ("network_b", b), ("measure", measure), ("step", step), ("cell", cell), ("layer", layer),
    ):  # fmt: skip
        found = found[found[key] == wanted]
    (row,) = found.to_dict("records")
    return row


def mean(network: str, measure: str, *, step: str = "output", cell: str = "clean") -> float:
    found = MEANS[(MEANS["network"] == network) & (MEANS["measure"] == measure) & (MEANS["step"] == step)]
    (value,) = found[(found["cell"] == cell) & (found["layer"] == "all layers")]["mean"]
    return value


def test_sparser_in_every_training_but_little() -> None:
    row = difference("lst20", "resnet20", "hoyer")
    assert row["low"] > 0 and min(row["seed0"], row["seed1"], row["seed2"]) > 0 and row["trainings_low"] > 0
    assert 0.2 < mean("resnet20", "hoyer") < mean("lst20", "hoyer") < 0.3


def test_sparser_behind_the_bn_too() -> None:
    row, before = difference("lst20", "resnet20", "hoyer", step="bn"), difference("lst20", "resnet20", "hoyer")
    assert min(row["seed0"], row["seed1"], row["seed2"]) > 0 and row["difference"] > before["difference"]
    assert mean("lst20", "hoyer", step="bn") < 0.6  # nearer to 0.2 than to 1


def test_random_weights_are_the_smallest_and_the_least_sparse_of_lst20() -> None:
    names = ("lst20", "lst20-relu", "lst20 untrained", "lst20 random untrained")
    assert max(names, key=lambda name: mean(name, "small")) == names[-1]
    assert min(names, key=lambda name: mean(name, "hoyer")) == names[-1]
    dct, random, resnet = (mean(name, "hoyer") for name in (*names[2:], "resnet20 untrained"))
    assert dct - random > random - resnet > 0


def test_amplitudes_differ_by_far() -> None:
    assert mean("lst20", "small") > 3 * mean("resnet20", "small")
    assert mean("resnet20", "amplitude") > 5 * mean("lst20", "amplitude")


def test_as_sparse_before_training_and_where_training_changes_it() -> None:
    assert difference("lst20", "lst20 untrained", "hoyer")["difference"] < 0.005
    assert difference("lst20", "lst20 untrained", "hoyer", layer="maps of 32 x 32")["high"] < 0
    assert difference("lst20", "lst20 untrained", "hoyer", layer="maps of 8 x 8")["low"] > 0
    assert difference("lst20 untrained", "resnet20 untrained", "hoyer")["low"] > 0


def test_soft_thresholding_does_nothing_to_be_seen() -> None:
    assert mean("lst20", "zeros", step="input") < 0.001
    for measure in ("hoyer", "hoyer_channels", "small_relative"):
        row = difference("lst20", "lst20-relu", measure)
        assert row["trainings_low"] < 0 < row["trainings_high"], measure


@pytest.mark.parametrize("step", ["output", "bn"])
def test_corruptions_move_an_lst_net_further(step) -> None:
    row = difference("lst20", "resnet20", "distance", step=step, cell="corrupted")
    assert row["low"] > 0 and min(row["seed0"], row["seed1"], row["seed2"]) > 0
    assert difference("lst20", "resnet20", "cosine", step=step, cell="corrupted")["high"] < 0


def test_bands_are_more_alike_after_training() -> None:
    shares = [[mean(name, f"band_v{v}_h{h}") for h in (0, 1) for v in (0, 1)] for name in ("lst20", "lst20 untrained")]
    assert max(shares[0]) - min(shares[0]) < max(shares[1]) - min(shares[1])
    assert shares[1][0] == max(shares[1])


@pytest.mark.parametrize("name", ["features.png", "features-layers.png"])
def test_the_figures_are_small(name) -> None:
    path = DOCS / name
    assert Image.open(path).size[0] == 1400 and path.stat().st_size < 500_000
