"""The table in the terminal: within its width, and nothing is lost."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from lst_robust.analysis.folding import folded
from lst_robust.analysis.summary import Summary
from lst_robust.reporting import render, robustness_table


@pytest.fixture
def table(result):
    return robustness_table([result("a_b|c & <d>", 40), result("resnet18", 50.25, missing=("fog",))], paper=True)


def printed(renderable, width: int, **options) -> str:
    console = Console(width=width, file=io.StringIO(), **options)
    console.print(renderable)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_terminals_table_fits_and_lacks_nothing(table, width):
    text = printed(render(table, "rich"), width)
    assert max(map(len, text.splitlines())) <= width
    assert all(number in text for number in ("99.00", "90.0", "101.2", "79.89", "–"))
    for name in ("resnet18", "SENet-50", "Paper, Table 4", "Gauss. blur", "Relative"):
        assert name in text
    assert text.count("70.54") == 1


def test_a_wide_terminal_has_one_row_a_model_and_a_narrow_one_a_row_a_corruption(result):
    table = robustness_table([result("lst18", 40), result("resnet18", 50)])
    wide, narrow = (printed(render(table, "rich"), width).splitlines() for width in (200, 80))
    assert sum("lst18" in line and "109.00" not in line and "90.0" in line for line in wide) == 1
    assert sum(line.split()[-3:] == ["Zoom", "96.0", "106.0"] for line in narrow) == 1


def test_the_best_is_bold_in_the_terminal(result):
    table = robustness_table([result("[red]a", 40), result("b", 50)])
    text = printed(render(table, "rich"), 80, force_terminal=True, color_system="standard")
    assert "\x1b[1m99.00\x1b[0m" in text and "\x1b[1m109.00" not in text
    assert "[red]a" in text  # a name is no markup


def test_many_models_are_spread_evenly_over_tables(result):
    names = [f"model-{i:02}" for i in range(12)]
    text = printed(render(robustness_table([result(name) for name in names]), "rich"), 120)
    heads = [re.findall(r"model-\d\d", line) for line in text.splitlines() if "model-" in line]
    assert heads == [names[:6], names[6:]]


@pytest.mark.parametrize("width", [60, 80, 260])
def test_an_interval_stands_below_its_mean(result, width):
    ends = {"mce19": [97.04, 101.06], "clean_error": [3.5, 4.5], "ce": {}}
    table = robustness_table([result("a", 40, intervals=ends), result("b", 50)], paper=True)
    text = printed(render(table, "rich", notes=["[a] note"]), width)
    assert "97.0–101.1" in text and "3.5–4.5" in text and "[a] note" in text
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("width", [60, 80, 160])
def test_of_very_many_models_the_means_are_shown_one_row_a_model(width):
    text = printed(render(robustness_table([], published=["testbed"]), "rich"), width)
    assert max(map(len, text.splitlines())) <= width
    rows = [line for line in text.splitlines() if line.startswith("resnet18 ")]
    assert [line.split()[1:] for line in rows] == [["83.37", "84.47", "30.24", "66.88", "102.08"], ["30.24", "63.16"]]
    told = " ".join(text.split())
    assert "Only the means, because there are 200 models. All columns: --format csv" in told and "Zoom" not in text


def test_a_wide_terminal_has_all_columns_of_very_many_models(result):
    table = robustness_table([result(f"m{number}") for number in range(40)])
    wide, narrow = (printed(render(table, "rich"), width) for width in (220, 100))
    assert "Zoom" in wide and "Only the means" not in wide
    assert "Zoom" not in narrow and narrow.count("m39") == 1


def test_four_networks_of_several_trainings_stand_side_by_side_in_80_columns(result):
    ends = {"mce19": [97.04, 101.06], "clean_error": [3.5, 4.5], "ce": {}}
    whole = []
    for name in ("lst20", "resnet20", "senet20", "cbam20"):
        trainings = [
            Summary.from_dict(result(name, base, train_seed=seed, intervals=ends, relative_mce=100 + base))
            for seed, base in enumerate((40, 52, 70))
        ]
        whole.append(folded(trainings, [{}] * 3, None, intervals=False))
    lines = printed(render(robustness_table(whole), "rich"), 80).splitlines()
    assert max(map(len, lines)) <= 80
    (mce,) = [line for line in lines if line.startswith("mCE")]
    assert mce.split() == ["mCE", "19", *["113.00±15.10"] * 4]
    assert sum("lst20" in line for line in lines) == 1
