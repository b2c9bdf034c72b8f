"""Every format: complete, marked, escaped; the terminal's within its width."""

from __future__ import annotations

import io
import re

import pandas as pd
import pytest

from lst_robust.benchmark import CORRUPTIONS
from lst_robust.errors import UsageError
from lst_robust.reporting import PROTOCOL, render, robustness_table


@pytest.fixture
def table(result):
    return robustness_table([result("a_b|c & <d>", 40), result("resnet18", 50.25, missing=("fog",))], paper=True)


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


def test_an_unknown_format_is_refused(table):
    with pytest.raises(UsageError, match="unknown format 'xml'"):
        render(table, "xml")
