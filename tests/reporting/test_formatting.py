"""Intervals in tables: beside their mean in every format, and never taken for a value."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from lst_robust.analysis.folding import folded as fold
from lst_robust.analysis.summary import Summary
from lst_robust.benchmark import CORRUPTIONS
from lst_robust.reporting import PROTOCOL, groups, render, robustness_table
from lst_robust.reporting.tables import best
from tests.reporting.conftest import make_result

INTERVALS = {"mce19": [97.04, 101.06], "mce15": [95.0, 99.5], "clean_error": [3.5, 4.5], "relative_mce": None, "ce": {}}


@pytest.fixture
def table(result):
    with_intervals = result("a", 40, intervals=INTERVALS)
    return robustness_table([with_intervals, result("b", 50)], paper=True)


def test_csv_has_columns_for_the_ends(table):
    back = pd.read_csv(io.StringIO(render(table, "csv")))
    columns = back.columns.tolist()[len(PROTOCOL) + 1 :]
    assert columns[:3] == ["mce19", "mce19_low", "mce19_high"] and columns[-19:] == list(CORRUPTIONS)
    assert "relative_mce" in columns and "relative_mce_low" not in columns
    assert back.loc[0, ["mce15", "mce15_low", "mce15_high"]].tolist() == [97, 95, 99.5]
    assert back.loc[1, ["mce15_low", "mce15_high"]].isna().all()


@pytest.mark.parametrize(
    ("format", "shown"),
    [
        ("md", "| **99.00** [97.0, 101.1] |"),
        ("latex", r"\selectfont 97.0--101.1}"),
        ("html", "<strong>99.00</strong><br><small>[97.0, 101.1]</small>"),
    ],
)
def test_the_interval_follows_its_mean(table, format, shown):
    text = render(table, format, notes=["a note & more"])
    assert shown in text and "95 %" in text.replace("\\", "")
    assert text.count("101.1") == 1
    assert {"md": "- a note &amp; more", "latex": r"a note \& more", "html": "<p>a note &amp; more</p>"}[format] in text


def test_ends_are_no_values(table):
    ours, paper = groups(table)
    assert ours.intervals["mce19"][0][0] == 97.04 and set(ours.intervals) == {"mce19", "mce15", "clean_error"}
    assert not any("low" in name for name in ours.frame.columns.get_level_values("quantity"))
    assert best(ours).loc["a"].all() and paper.intervals == {}
    assert any("95 % interval" in note for note in ours.notes) and not any("95 %" in note for note in paper.notes)


def test_they_can_be_left_out(result):
    with_intervals = result("a", 40, intervals=INTERVALS)
    assert robustness_table([with_intervals], intervals=False).equals(robustness_table([result("a", 40)]))


def test_a_mean_that_is_not_shown_has_no_interval_either(result):
    ends = {"mean_corruption_error": [50.0, 52.0]}
    part = result("a", 40, missing=("fog",), intervals=ends)
    table = robustness_table([part, result("b", 50, intervals=ends)])
    assert table["Error", "mean_corruption_error_low"].isna().tolist() == [True, False]
    assert render(table, "md").count("[50.0, 52.0]") == 1


@pytest.fixture
def folded() -> pd.DataFrame:
    """A row of two trainings, whose mCE (19) are 99 and 101, beside a single one."""
    trainings = [Summary.from_dict(make_result("a", base, train_seed=seed)) for seed, base in enumerate((40, 42))]
    whole = fold(trainings, [{}, {}], None, intervals=False)
    return robustness_table([whole, make_result("b", 50)])


def test_csv_has_columns_for_spreads_and_their_number(folded):
    back = pd.read_csv(io.StringIO(render(folded, "csv")))
    assert back["model"].tolist() == ["a", "b"] and back["mce19"].tolist() == [100, 109]
    assert back["mce19_sd"][0] == pytest.approx(2**0.5, abs=1e-6) and back["fog_sd"][0] == back["mce19_sd"][0]
    assert back["trainings"][0] == 2 and back.loc[1, ["mce19_sd", "fog_sd", "trainings"]].isna().all()
    assert back.columns[-1] == "trainings"


@pytest.mark.parametrize(
    ("format", "shown"),
    [
        ("md", "**100.00** ± 1.41 |"),
        ("latex", r"\textbf{100.00} & \,$\pm$\,1.41"),
        ("html", "<strong>100.00</strong> ± 1.41<"),
    ],
)
def test_a_mean_over_trainings_has_its_standard_deviation(folded, format, shown):
    text = render(folded, format)
    assert shown in text
    assert "a (2 trainings)" in text and "b (" not in text and "standard deviation over trainings" in text


def test_the_best_is_decided_by_the_means(folded):
    (group,) = groups(folded)
    assert best(group).loc["a"].all() and not best(group).loc["b"].any()
    assert group.trainings[0] == 2 and group.spreads["mce15"][0] == pytest.approx(2**0.5)
