"""Intervals in tables: beside their mean in every format, and never taken for a value."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from lst_robust.benchmark import CORRUPTIONS
from lst_robust.reporting import PROTOCOL, groups, render, robustness_table
from lst_robust.reporting.tables import best

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
