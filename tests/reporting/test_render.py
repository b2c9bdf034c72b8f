"""Every format: complete, marked, escaped; the terminal's within its width."""

from __future__ import annotations

import io
import re

import pandas as pd
import pytest
from rich.console import Console

from lst_robust.benchmark import CORRUPTIONS
from lst_robust.errors import UsageError
from lst_robust.reporting import PROTOCOL, render, robustness_table


@pytest.fixture
def table(result):
    return robustness_table([result("a_b|c & <d>", 40), result("resnet18", 50.25, missing=("fog",))], paper=True)


def printed(renderable, width: int, **options) -> str:
    console = Console(width=width, file=io.StringIO(), **options)
    console.print(renderable)
    return console.file.getvalue()


def test_csv_is_plain_numbers_with_the_protocol_beside_them(table):
    text = render(table, "csv")
    back = pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""])
    assert back.columns.tolist()[: len(PROTOCOL) + 2] == [*PROTOCOL, "model", "mce19"]
    assert back.columns.tolist()[-19:] == list(CORRUPTIONS)
    assert back["model"].tolist()[:2] == ["a_b|c & <d>", "resnet18"]
    assert back["shot_noise"].tolist()[:3] == [91, 101.25, 89] and back["fog"].isna().tolist()[:2] == [False, True]
    assert back["protocol"].tolist() == ["generated"] * 2 + ["printed"] * 10
    assert "*" not in text and "\r" not in text


def test_markdown_has_one_table_a_protocol(table):
    text = render(table, "md")
    assert text.count("| Model") == 2 and text.count("**Paper, Table 4") == 1
    ours = next(line for line in text.splitlines() if line.startswith("| a_b"))
    assert ours.startswith(r"| a_b\|c &amp; &lt;d&gt; ") and ours.count("**") == 2 * 19  # all but what one row lacks
    assert "Noise<br>Shot" in text and "– : cells not measured yet." in text
    widths = {line.replace(r"\|", "").count("|") for line in text.split("**Paper")[0].splitlines() if "|" in line}
    assert widths == {26}


def test_latex_is_booktabs_and_escaped(table):
    text = render(table, "latex")
    assert r"a\_b\textbar{}c \& \textless{}d\textgreater{} & 99.00 &" in text
    assert r"\textbf{4.00}" in text and r"\multicolumn{3}{c}{Noise}" in text
    for command in (r"\begin{tabular}", r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}}"):
        assert text.count(command) == 2
    assert text.count("{") == text.count("}") and text.isascii()
    rows = text.split(r"\midrule")[1].split(r"\bottomrule")[0].replace(r"\&", "").strip().splitlines()
    assert [row.count("&") for row in rows] == [24, 24]


def test_html_is_a_page_and_escaped(table):
    text = render(table, "html")
    assert text.startswith("<!doctype html>") and text.count("<table") == 2
    assert "<th>a_b|c &amp; &lt;d&gt;</th>" in text and "<d>" not in text
    assert "<strong>4.00</strong>" in text and "<td>–</td>" in text
    assert len(re.findall(r"<td>", text)) == 2 * 24 + 10 * 20


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


def test_an_unknown_format_is_refused(table):
    with pytest.raises(UsageError, match="unknown format 'xml'"):
        render(table, "xml")
