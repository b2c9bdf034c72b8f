"""Names that are markup or commands, from the records of a results folder to what each command prints and writes."""

from __future__ import annotations

import csv
import functools
import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from markdown_it import MarkdownIt

from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import one_line
from lst_robust.records.store import Store
from lst_robust.reporting.escaping import FORMULA
from tests.analysis.simulated import measured, stored
from tests.fixtures.commands import parsed
from tests.reporting.hostile import HOSTILE

CELLS = (CLEAN_CELL, *(Cell("fog", severity) for severity in (1, 2, 3, 4, 5)))
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]")  # all but the line breaks of the output itself
ANSI = re.compile(r"\x1b\[[0-9;]*m")
FEW = tuple(name for name in HOSTILE if re.match(r"[<=\[\x1b:%|]|two|\$|many", name))


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of six cells of 10 images for each name."""
    results = tmp_path_factory.mktemp("hostile") / "results"
    for index, name in enumerate(HOSTILE):
        wrong = {cell: np.arange(10) < 1 + (cell.severity + index) % 8 for cell in CELLS}
        stored(Store(results), measured(name, wrong, weights="0123456789abcdef"[index % 16]))
    return results


@pytest.fixture
def results(run, folder):
    """The command line with these results."""
    return functools.partial(run, LST_ROBUST_RESULTS_DIR=str(folder))


def shown_by(result) -> str:
    """What a command printed; nothing in it commands a terminal."""
    assert result.exit_code in (0, 1), result.output
    text = ANSI.sub("", result.output)
    assert not CONTROL.search(text)
    return text


class _Cells(HTMLParser):
    """The texts between tags, and all tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.add(tag)
        self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] += data


def cells_of(document: str) -> _Cells:
    parser = _Cells()
    parser.feed(document)
    parser.close()
    return parser


def test_a_csv_table_has_each_name_and_no_formula(results):
    text = shown_by(results("table", "--format", "csv"))
    rows = list(csv.DictReader(io.StringIO(text)))
    names = [row["model"] for row in rows]
    assert len(names) == len(HOSTILE) and not any(name.startswith(FORMULA) for row in rows for name in row.values())
    for name in HOSTILE:
        assert ("'" if name.startswith(FORMULA) else "") + one_line(name) in names
    assert all(float(row["clean_error"]) > 0 for row in rows)


def test_an_html_table_shows_each_name_and_runs_nothing(results):
    text = shown_by(results("table", "--format", "html"))
    parser = cells_of(text)
    assert {"script", "img", "b", "a"} & parser.tags == set()
    assert {squeezed(one_line(name)) for name in HOSTILE} <= set(map(squeezed, parser.texts))
    assert "default-src 'none'" in text


def test_a_markdown_table_shows_each_name_and_has_no_markup(results):
    text = shown_by(results("table", "--format", "md"))
    parser = cells_of(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text).replace("<!-- -->", ""))
    assert parser.tags == {"p", "strong", "table", "thead", "tbody", "tr", "th", "td", "br"}
    cells = {squeezed(text) for text in parser.texts}
    assert {squeezed(one_line(name)) for name in HOSTILE} <= cells


def test_a_table_in_a_terminal_shows_each_name(results):
    text = shown_by(results("table", COLUMNS="400"))
    for name in HOSTILE:
        assert squeezed(one_line(name)) in squeezed(text), name


def test_a_latex_table_is_ascii(results):
    text = shown_by(results("table", "--format", "latex"))
    assert text.isascii() and text.count(r"\begin{table*}") == text.count(r"\end{table*}")
    assert text.count(r"\end{document}") == 1 and r"\input{/" not in text


@pytest.mark.parametrize("name", FEW)
def test_check_reports_the_name_to_people_to_ci_and_to_github(results, name, tmp_path):
    assert results("baseline", "write", "--model", name, "--out", "base.json").exit_code == 0
    worse = {cell: np.arange(10) < 10 for cell in CELLS}
    stored(Store(tmp_path / "worse"), measured(name, worse))
    result = results(
        "check",
        "--baseline",
        "base.json",
        "--model",
        name,
        "--results-dir",
        "worse",
        "--metric",
        "clean_error",
        "--github",
        "--junit",
        "check.xml",
        COLUMNS="200",
    )
    text = shown_by(result)
    assert squeezed(one_line(name)) in squeezed(text)
    commands = [line for line in text.splitlines() if line.startswith("::")]
    assert commands and all(re.match(r"::(error|notice|warning) title=lst-robust [a-z]+", line) for line in commands)
    root = ElementTree.parse(tmp_path / "check.xml").getroot()
    assert any(one_line(name) in str(case.get("name")) for case in root.iter("testcase"))


@pytest.mark.parametrize("name", FEW)
def test_compare_and_show_print_the_name_as_text(results, name, folder):
    text = shown_by(results("compare", "--", name, "---"))
    assert text.startswith(f"A: {one_line(name)}@seed0") and ", B: ---@seed0" in text
    for path in folder.rglob("clean.json"):
        record = shown_by(results("show", str(path), COLUMNS="400"))
        if f"{one_line(name)} on digits-c: clean" in record:
            break
    else:
        raise AssertionError("no record is shown under this name")


def test_json_holds_the_names_as_they_are(results):
    assert {row["model"] for row in parsed(results("table", "--json"))} == set(HOSTILE)
