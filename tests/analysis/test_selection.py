"""Which runs a name means."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.analysis.networks import collect_networks
from lst_robust.analysis.selection import choices, label, matches, network_of, select
from lst_robust.benchmark import CLEAN_CELL
from lst_robust.errors import NothingToEvaluateError
from lst_robust.records.store import Store
from tests.analysis.simulated import measured, stored, with_identity

WRONG = {CLEAN_CELL: np.arange(20) < 3}
ONE = with_identity(measured("lst20", WRONG, weights="a", train_seed=1), options={"stem": "3x3s1"})
OTHER = measured("lst20", WRONG, weights="b", train_seed=None)


def test_a_label_names_model_seed_and_run():
    assert label(ONE.run) == f"lst20@seed1@{ONE.run.digest[:6]}"
    assert label(OTHER.run) == f"lst20@{OTHER.run.digest[:6]}"
    assert select([ONE, OTHER], label(ONE.run)) == [ONE]


@pytest.mark.parametrize(
    ("selector", "meant"),
    [
        ("lst20", True),
        ("lst20@seed1", True),
        ("lst20@n20@aaaa", True),
        ("lst20@stem=3x3s1", True),
        ("lst20 (seed 1, aaaaaa)", True),
        ("lst20@seed2", False),
        ("lst20@n21", False),
        ("lst20@aaa", False),  # three digits are too few
        ("lst20@stem=7x7", False),
        ("lst2", False),
    ],
)
def test_parts_of_a_selector(selector, meant):
    assert matches(ONE.run, selector) is meant
    assert network_of(selector, ["lst", "lst2", "lst20"]) in ("lst20", "lst2")


NAMES = ["hf:owner/net", "hf:owner/net@v2", "/home/u@host/net.py:net", "nets (old)/net.py:net", "net (3 trainings)"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_may_hold_what_parts_begin_with(name):
    runs = [measured(one, WRONG, weights="a", train_seed=1) for one in NAMES]
    (run,) = (one for one in runs if one.run.model.name == name)
    parts = ("", "@seed1", "@n20@aaaa", " (seed 1, aaaaaa)", " (seeds 0+1)", " (3 trainings)")
    for selector in (label(run.run), *(name + part for part in parts)):
        assert select(runs, selector) == [run] and network_of(selector, NAMES) == name
    assert not any(matches(run.run, name + part) for part in ("@seed2", " (seed 2)", " (seed 1", ".py", " "))


STATISTICS = {"mean": "0.5, 0.5, 0.5", "note": "seed 3, 4", "std": "0.25, 0.25, 0.25"}
NORMALISED = with_identity(measured("timm:x", WRONG, weights="a", train_seed=1), options=STATISTICS)


@pytest.mark.parametrize(
    ("inside", "meant"),
    [
        ("mean=0.5, 0.5, 0.5, note=seed 3, 4, std=0.25, 0.25, 0.25, seed 1, aaaaaa", True),
        ("std=0.25, 0.25, 0.25, seed 1", True),
        ("mean=0.5, 0.5, 0.5", True),
        ("mean=0.5, 0.5, 0.5, note=seed 3, 4, std=0.25, 0.25, 0.25, seed 1, bbbbbb", False),
        ("mean=0.5, 0.5, 0.5, seed 2", False),
        ("mean=0.5, 0.5, 0.55", False),
        ("mean=0.5, 0.5", False),
        ("seed 1, ", False),
        ("", False),
    ],
)
def test_an_option_in_a_label_may_hold_commas(inside, meant):
    assert matches(NORMALISED.run, f"timm:x ({inside})") is meant


def test_the_labels_of_tables_select_their_networks(tmp_path):
    """Of options that hold commas, where one is the beginning of the other."""
    runs = []
    for weights, seed, mean in (("a", 1, "0.5"), ("b", None, "0.5, 0.5"), ("c", 1, "0.5, 0.5, 0.5")):
        run = measured("timm:x", WRONG, weights=weights, train_seed=seed)
        runs.append(stored(Store(tmp_path), with_identity(run, options={"mean": mean, "std": "1, 1"})))
    networks = collect_networks(tmp_path, "digits-c", None, intervals=False)
    assert "timm:x (mean=0.5, 0.5, std=1, 1, bbbbbb)" in [network.summary.label for network in networks]
    for network in networks:
        chosen = select(runs, network.summary.label)
        assert [one.run.digest for one in chosen] == [network.summary.run]


def test_the_digits_may_be_those_of_the_run():
    assert matches(ONE.run, f"lst20@{ONE.run.digest[:4]}") and not matches(OTHER.run, f"lst20@{ONE.run.digest[:4]}")


def test_for_none_the_choices_are_said():
    with pytest.raises(NothingToEvaluateError) as refused:
        select([ONE, OTHER], "lst56")
    assert str(refused.value) == (f"no records of 'lst56': choose from {choices([ONE, OTHER])}, or measure it first")


def test_of_many_ten_are_listed():
    runs = [measured(f"net{number:02}", WRONG) for number in range(12)]
    assert choices(runs).count("digits-c, n 20, seed 0") == 10 and choices(runs).endswith(" and 2 more")


def test_choices_of_one_model_say_what_differs():
    runs = [measured("lst20", WRONG, engine=engine) for engine in ("lst-robust 1", "lst-robust-torch 1")]
    for one in runs:
        assert f"{label(one.run)} (digits-c, n 20, seed 0, engine {one.run.protocol.engine})" in choices(runs)
    assert "engine" not in choices([runs[0], measured("alexnet", WRONG), measured("lst20", WRONG, seed=1)])


def test_hashes_are_named_where_nothing_else_differs_and_cut():
    runs = [measured("lst20", WRONG, images=letter * 16) for letter in "ef"]
    assert f"n 20, seed 0, images {'e' * 12})" in choices(runs)
    other = measured("lst20", WRONG, images="d" * 16, preset="cifar")
    assert "images" not in choices([*runs[:1], other]) and "preset cifar)" in choices([*runs[:1], other])
