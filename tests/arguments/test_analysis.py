"""Arguments of compare, check, the baselines and the summaries: each mistake is one line with the argument's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

import lst_robust
from lst_robust.analysis.networks import collect_summaries
from lst_robust.records.store import Store
from lst_robust.suites import load_suite
from tests.analysis.simulated import ALL_CELLS, HALF, measured, simulated, stored
from tests.fixtures.refusals import (
    NAN,
    WRONG_FLAGS,
    WRONG_MODELS,
    WRONG_NORMALISERS,
    WRONG_PATHS,
    WRONG_SUITES,
    Other,
    cases,
    refusal,
)

ALEXNET = lst_robust.published_normaliser()


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """Records of two models of digits-c, and of one of a suite that does not ship."""
    folder = tmp_path_factory.mktemp("records")
    generator = np.random.default_rng(0)
    for number, name in enumerate(("a", "b")):
        wrong = simulated(generator, 50, dict.fromkeys(ALL_CELLS, 0.3))
        stored(Store(folder), measured(name, wrong, str(number)))
        stored(Store(folder), measured(name, wrong, str(number), suite="mine"))
    return folder


COMPARE = {
    "a": [3, None, b"a", "", ["a"], Path("a"), Other()],
    "b": [3, None, b"b", "", ["b"]],
    "suite": WRONG_SUITES,
    "normaliser": WRONG_NORMALISERS,
    "results_dir": [None, *WRONG_PATHS],
}


@pytest.mark.parametrize(("argument", "value"), cases(COMPARE))
def test_compare_refuses(argument, value, store):
    line = refusal(
        lst_robust.compare, **{"a": "a", "b": "b", "suite": "digits-c", "results_dir": store, argument: value}
    )
    assert argument in line or argument == "normaliser"


def test_compare_and_tables_take_what_evaluate_takes(store, tmp_path):
    own = tmp_path / "mine.yaml"
    own.write_text(yaml.safe_dump(HALF.model_dump(mode="json")))
    for choice in (HALF, own, str(own)):
        asked = {"suite": load_suite("digits-c"), "normaliser": choice, "results_dir": store}
        assert lst_robust.compare("a", "b", **asked).normaliser == "half"
        summaries = collect_summaries(store, Path("digits-c"), choice, intervals=False)
        assert {summary.normaliser for summary in summaries} == {"half"}
    assert lst_robust.compare("a", "b", suite="digits-c", normaliser=None, results_dir=store).normaliser is None


def test_a_normaliser_that_is_given_needs_no_suite(store, caplog):
    for choice, name in [("suite", None), ("none", None), (HALF, "half"), ("alexnet-imagenet-c", ALEXNET.name)]:
        summaries = collect_summaries(store, None, choice, intervals=False)
        assert {summary.normaliser for summary in summaries if summary.protocol.suite == "mine"} == {name}
    assert len(caplog.messages) == 1, "where the suite's own was wanted, for all of its runs"


@pytest.mark.parametrize(("argument", "value"), cases({"normaliser": WRONG_NORMALISERS, "intervals": WRONG_FLAGS}))
def test_summaries_refuse_before_a_record_is_read(argument, value, tmp_path):
    asked = {"suite": None, "normaliser": "suite", argument: value}
    assert argument in refusal(collect_summaries, tmp_path / "nowhere", **asked) or argument == "normaliser"


@pytest.fixture(scope="module")
def baseline(store) -> lst_robust.Baseline:
    return lst_robust.make_baseline(store, suite="digits-c")


CHECK = {
    "baseline": ["baseline.json", None, 3, {}],
    "results_dir": [None, *WRONG_PATHS],
    "suite": WRONG_SUITES,
    "models": WRONG_MODELS,
    "metric": [3, None, ["mce15"], "mce", b"mce15"],
    "tolerance": [True, "1", NAN, float("inf"), -1, None, [1], 10**400, np.timedelta64(3), 1j],
}


@pytest.mark.parametrize(("argument", "value"), cases(CHECK))
def test_check_refuses(argument, value, store, baseline):
    assert argument in refusal(lst_robust.check, **{"baseline": baseline, "results_dir": store, argument: value})


def test_check_takes_numbers_and_names_of_numpy(store, baseline):
    gate = lst_robust.check(
        baseline,
        results_dir=str(store),
        suite=load_suite("digits-c"),
        models=np.array(["a"]),
        tolerance=np.float32(0.5),
        metric=np.str_("mce19"),
    )
    assert gate.exit_code == 0 and len(gate.findings) == 1
    assert (type(gate.tolerance), type(gate.metric)) == (float, str)


MAKE = {
    "results_dir": [None, *WRONG_PATHS],
    "suite": WRONG_SUITES,
    "models": WRONG_MODELS,
    "bits": WRONG_FLAGS,
}


@pytest.mark.parametrize(("argument", "value"), cases(MAKE))
def test_make_baseline_refuses(argument, value, store):
    assert argument in refusal(lst_robust.make_baseline, **{"results_dir": store, "suite": "digits-c", argument: value})


@pytest.mark.parametrize("path", [None, *WRONG_PATHS])
def test_baselines_files_are_paths(path, baseline):
    assert "path is" in refusal(lst_robust.read_baseline, path)
    assert "path is" in refusal(lst_robust.write_baseline, baseline, path)


def test_what_is_written_is_a_baseline(tmp_path):
    assert "make_baseline" in refusal(lst_robust.write_baseline, {}, tmp_path / "b.json")
    assert not (tmp_path / "b.json").exists()
