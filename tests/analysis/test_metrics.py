"""The table of metrics: what stands in it, and that a new entry is all that a new metric needs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lst_robust
from lst_robust.analysis import metrics
from lst_robust.analysis.metrics import (
    METRICS,
    Metric,
    calibration_metrics,
    headline,
    image_metrics,
    in_columns,
    plain_mean,
    register_metric,
)
from lst_robust.analysis.networks import collect_summaries
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, GROUPS, RESERVED, STANDARD_15, Cell, add_corruption
from lst_robust.errors import UsageError
from lst_robust.records.store import Store
from lst_robust.reporting import PROTOCOL
from tests.analysis.gated import WRONG
from tests.analysis.simulated import ALL_CELLS, HALF, measured, stored

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding" / "metric.md").read_text(encoding="utf-8")
NOISE = Metric(
    "noise_ce", title="CE of noise", short="Noise", group="mCE", quantity="ce", corruptions=GROUPS["noise"],
    needs_normaliser=True,
)  # fmt: skip


@pytest.fixture
def noise_ce() -> Iterator[Metric]:
    yield register_metric(NOISE)
    del metrics._metrics["noise_ce"]


def test_the_table():
    names = [metric.name for metric in image_metrics()]
    assert names == ["clean_error", "mean_corruption_error", "mce15", "mce19", "relative_mce"]
    assert [metric.name for metric in in_columns(image_metrics())] == [
        "mce19", "mce15", "clean_error", "mean_corruption_error", "relative_mce"
    ]  # fmt: skip
    assert [metric.name for metric in calibration_metrics()] == [
        "clean_top5_error", "mean_top5_error", "clean_ece", "mean_ece", "clean_brier", "mean_brier"
    ]  # fmt: skip
    assert all(name == metric.name for name, metric in METRICS.items())
    assert METRICS["mce15"].corruptions == METRICS["relative_mce"].corruptions == STANDARD_15
    assert METRICS["mce19"].corruptions == METRICS["mean_brier"].corruptions == CORRUPTIONS
    assert METRICS["mean_brier"].decimals == 3 and METRICS["mce19"].decimals == 2
    assert plain_mean() is METRICS["mean_corruption_error"]
    with pytest.raises(TypeError):
        METRICS["mce15"] = NOISE
    with pytest.raises(FrozenInstanceError):
        METRICS["mce15"].corruptions = ()


def test_the_cells_and_the_parts_of_a_metric():
    assert METRICS["clean_error"].cells == METRICS["clean_ece"].cells == (CLEAN_CELL,)
    assert METRICS["clean_error"].parts == {}
    assert len(METRICS["mce15"].cells) == 75 and METRICS["mce15"].cells[0] == Cell("gaussian_noise", 1)
    assert METRICS["relative_mce"].cells[0] == CLEAN_CELL and len(METRICS["relative_mce"].cells) == 76
    assert METRICS["relative_mce"].parts["relative_ce.fog"] == "fog"


def test_values_by_hand():
    errors = {cell: 10.0 for cell in ALL_CELLS} | {Cell("fog", 2): 20.0, CLEAN_CELL: 3.0, Cell("my_fog", 1): 99.0}
    values = {metric.name: metric.of(errors, HALF) for metric in image_metrics()}
    assert values == {
        "clean_error": 3,
        "mean_corruption_error": pytest.approx(10 + 10 / 95),
        "mce15": pytest.approx(20 + 4 / 15),
        "mce19": pytest.approx(20 + 4 / 19),
        "relative_mce": pytest.approx(100 * (7 + 2 / 15) / 40),
    }
    assert METRICS["mce15"].of(errors, None) is None
    del errors[Cell("fog", 5)]
    assert METRICS["mce15"].of(errors, HALF) is None
    assert METRICS["mean_corruption_error"].of(errors) == pytest.approx(10 + 10 / 94)
    assert METRICS["mean_corruption_error"].of({CLEAN_CELL: 3.0}) is None


def test_the_metric_of_a_verdict():
    assert headline(METRICS) is METRICS["mce15"]
    assert headline(["mce19", "mean_corruption_error", "clean_error"]) is METRICS["mce19"]
    assert headline(["clean_error", "mean_corruption_error"]) is METRICS["mean_corruption_error"]


def refusal(**changes: object) -> str:
    with pytest.raises(UsageError) as caught:
        register_metric(replace(NOISE, **changes))
    assert "noise_ce" not in METRICS
    return str(caught.value)


def test_a_corruption_error_of_the_clean_images_is_refused():
    assert refusal(corruptions=("clean", "fog")).endswith("'ce' is of corruptions: leave out 'clean'")


@pytest.mark.parametrize("name", ["", "Noise", "1a", "a b", "a-b", 3, None])
def test_a_name_must_be_a_key(name):
    assert refusal(name=name).startswith("name is ")


@pytest.mark.parametrize("name", ["mce15", "clean_ece", "fog", "suite", "errors", "clean", "mine_low", "mine_sd"])
def test_a_name_must_be_free(name):
    assert refusal(name=name) == f"name {name!r} is taken or reserved: give the metric another name"


def test_no_corruption_can_have_the_name_of_a_metric(noise_ce):
    for name in METRICS:
        with pytest.raises(UsageError, match=f"'{name}' cannot be the name of a corruption"):
            add_corruption(name, "own", "x")


def test_every_key_of_a_summary_and_level_of_a_table_is_reserved():
    run, records, _ = measured("a", WRONG)
    keys = set(lst_robust.Evaluation(run, records, HALF).summary().to_dict())
    assert (keys | set(PROTOCOL)) - set(METRICS) <= RESERVED


def test_fields_that_cannot_be_meant_are_refused():
    assert refusal(quantity="cee").startswith("unknown quantity 'cee': did you mean ce")
    assert "did you mean fog" in refusal(corruptions=("fogg",))
    assert refusal(corruptions=()) == "corruptions is empty: give at least one"
    assert refusal(corruptions="fog").startswith("corruptions is 'fog': give a list")
    assert refusal(needs_normaliser=False) == (
        "needs_normaliser is False: the quantity 'ce' is divided by a normaliser's errors, so give True"
    )
    assert refusal(quantity="error").endswith("is not divided by a normaliser's errors, so give False")
    for field, values in {
        "title": ("", 3, "a\nb"), "short": ("", None), "group": ("",), "decimals": (-1, 1.5, 7), "column": ("1",),
        "lower_is_better": (1, None), "over_seeds": ("yes",), "needs_normaliser": (None,),
    }.items():  # fmt: skip
        for value in values:
            assert refusal(**{field: value}).startswith(f"{field} is "), (field, value)
    with pytest.raises(UsageError, match="metric is 'noise_ce': give a Metric"):
        register_metric("noise_ce")


def test_a_metric_can_be_registered_again(noise_ce):
    again = register_metric(replace(NOISE, title="noise", corruptions=["shot_noise", "shot_noise"]))
    assert METRICS["noise_ce"] is again and again.corruptions == ("shot_noise",)
    assert again.label == "noise" and noise_ce.label == "CE of noise"


@pytest.fixture
def results(tmp_path) -> Path:
    """Records of a with two training seeds, and of b."""
    store = Store(tmp_path / "results")
    for name, seed, share in (("a", 0, 0.0), ("a", 1, 0.5), ("b", 0, 0.2)):
        flipped = np.random.default_rng(seed).random(len(next(iter(WRONG.values())))) < share
        wrong = {cell: bits | flipped if cell.corruption == "shot_noise" else bits for cell, bits in WRONG.items()}
        stored(store, measured(name, wrong, weights=f"{name}{seed}".encode().hex(), train_seed=seed))
    return store.results_dir


def test_a_new_metric_is_everywhere(noise_ce, results, tmp_path, run):
    """One entry of the table, and the command line and the library show it, compare it and gate on it."""

    def printed(*arguments: str) -> str:
        result = run(*arguments, "--results-dir", str(results))
        assert result.exit_code == 0, result.output
        return result.stdout

    summary = collect_summaries(results, None, "suite")[0]
    expected = np.mean([summary.ce[name] for name in GROUPS["noise"]])
    assert summary.metrics["noise_ce"] == pytest.approx(expected)
    low, high = summary.intervals.metrics["noise_ce"]
    assert low < expected < high
    (row, second, _) = json.loads(printed("table", "--json"))
    assert row["noise_ce"] == summary.metrics["noise_ce"] and row["intervals"]["noise_ce"] == [low, high]
    values = [row["noise_ce"], second["noise_ce"]]
    assert row["over_seeds"]["noise_ce"]["mean"] == pytest.approx(np.mean(values))
    (tmp_path / "t.csv").write_text(printed("table", "--format", "csv"))
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["noise_ce"][0] == pytest.approx(np.mean(values), abs=1e-6) and "noise_ce_low" in table
    assert table["noise_ce_sd"][0] == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    assert "mCE<br>Noise" in printed("table", "--format", "md")
    assert f"CE of noise {np.mean(values):.2f} ±" in printed("table", "--format", "md", "--seeds")
    assert json.loads(printed("compare", "a@seed0", "b", "--json"))["metrics"]["noise_ce"]["difference"] < 0
    assert "CE of noise" in printed("compare", "a@seed0", "b")
    printed("baseline", "write", "--model", "b", "--out", "baseline.json")
    gate = json.loads(printed("check", "--baseline", "baseline.json", "--metric", "noise_ce", "--model", "b", "--json"))
    assert gate["metric"] == "noise_ce" and gate["findings"][0]["baseline"] == pytest.approx(
        json.loads(printed("table", "--json"))[2]["noise_ce"]
    )


def test_a_new_metric_of_calibration_has_a_column_on_demand(results):
    register_metric(Metric("fog_ece", "ECE in fog", "Fog", "ECE", "ece", corruptions=("fog",), needs_normaliser=False))
    try:
        summaries = collect_summaries(results, None, "suite", intervals=False)
        table = lst_robust.robustness_table(summaries, calibration=True)
        assert table["ECE"].columns.tolist() == ["clean_ece", "mean_ece", "fog_ece"]
        assert table["ECE", "fog_ece"].iloc[0] == pytest.approx(summaries[0].calibration["fog_ece"])
        assert "fog_ece" not in summaries[0].metrics
    finally:
        del metrics._metrics["fog_ece"]


@pytest.mark.slow
def test_the_page_on_adding_a_metric_runs(tmp_path):
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "published").symlink_to(ROOT / "results" / "published")
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, check=True, capture_output=True, text=True)
    first, *_, last = done.stdout.splitlines()
    assert float(first.split()[0]) > 0 and last == "0"
    assert "mCE<br>Noise" in done.stdout


def test_the_page_names_the_fields_and_quantities():
    for field in ("name", "title", "short", "group", "quantity", "corruptions", "needs_normaliser", "decimals"):
        assert f"`{field}`" in PAGE and field in Metric.__dataclass_fields__
    for quantity in metrics.QUANTITIES:
        assert f"`{quantity}`" in PAGE


def test_only_the_table_and_the_functions_of_the_papers_name_a_metric():
    """And what chooses one: the defaults of options, and what an example shows."""
    allowed = {
        "analysis/metrics.py", "analysis/corruption_errors.py", "__init__.py", "analysis/gate.py", "cli/check.py",
        "analysis/comparison.py", "analysis/published.py", "reporting/tables.py",
    }  # fmt: skip
    package = ROOT / "lst_robust"
    naming = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"mce15|relative_mce|mce19", path.read_text(encoding="utf-8"))
    }
    assert naming <= allowed
