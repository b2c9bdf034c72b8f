"""Names that are markup or commands, from the records of a results folder to what each command prints and writes."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from markdown_it import MarkdownIt

from lst_robust.analysis.features import FeatureStatistics
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import one_line
from lst_robust.records.store import Store
from lst_robust.reporting.escaping import FORMULA
from tests.analysis.simulated import measured, stored
from tests.analysis.test_features import FOG, SNOW, network
from tests.fixtures.commands import parsed
from tests.reporting.hostile import HOSTILE

CELLS = (CLEAN_CELL, *(Cell("fog", severity) for severity in (1, 2, 3, 4, 5)))
FEATURE_CELLS = (CLEAN_CELL, FOG, SNOW)
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


LAYERS = """
from torch import nn

def build(num_classes, image_size):
    network = nn.Sequential()
    network.add_module("=SUM(A1)", nn.Conv2d(3, 8, 3, stride=2))
    network.add_module("[red]\x1b[31m", nn.Conv2d(8, 8, 3, stride=2))
    network.add_module("pool", nn.AdaptiveAvgPool2d(1))
    network.add_module("flat", nn.Flatten())
    network.add_module("fc", nn.Linear(8, num_classes))
    return network
"""


@pytest.fixture
def features(run, tiny, tmp_path):
    """`features` of a network whose file and layers have such names, trained as the suite says."""
    (tmp_path / "=net.py").write_text(LAYERS)
    asked = ("-s", str(tiny), "--train", "--images", "4", "--corruptions", "none", "--csv", "t.csv")
    return functools.partial(run, "features", "-m", "=net.py:build", *asked)


def test_features_of_a_network_of_such_names(features, tmp_path):
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    text = shown_by(features("--out", "f.svg", "--by-layer", "l.svg", "--layer", "*", COLUMNS="200"))
    assert "=net.py:build" in text
    rows = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text())))
    assert not any(value.startswith(FORMULA) for row in rows for value in row.values() if not number(value))
    assert {(row["network"], row["model"]) for row in rows} == {("'=net.py:build", "'=net.py:build")}
    assert {one_line("[red]\x1b[31m")} < {row["layer"] for row in rows}
    for file in ("f.svg", "l.svg"):
        ElementTree.parse(tmp_path / file)


def number(text: str) -> bool:
    return re.fullmatch(r"-?\d[\d.e-]*", text) is not None


def test_features_writes_each_name_as_text(run, monkeypatch, tmp_path):
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    one = network("x", 0)
    networks = []
    for name in HOSTILE:
        layers = tuple(dataclasses.replace(layer, name=name + layer.name) for layer in one.layers)
        networks.append(dataclasses.replace(one, label=name, model=name, layers=layers))
    found = FeatureStatistics("digits-c", "output", 0.1, ("i", "j", "k"), FEATURE_CELLS, tuple(networks))
    monkeypatch.setattr("lst_robust.feature_statistics", lambda *_, **__: found)
    asked = ("features", "-m", "lst18", "--csv", "t.csv")
    text = squeezed(shown_by(run(*asked, "--by-layer", "l.svg", COLUMNS="2000")))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text())))
    for name in HOSTILE:
        assert squeezed(one_line(name)) in text, name
        written = ("'" if name.startswith(FORMULA) else "") + one_line(name)
        own = [row for row in rows if row["network"] == written]
        assert {row["model"] for row in own} == {written} and {written + "a", written + "b"} < {r["layer"] for r in own}
    ElementTree.parse(tmp_path / "l.svg")
    assert {row["network"] for row in parsed(run(*asked, "--json"))["rows"]} == set(HOSTILE)
