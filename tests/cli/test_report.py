"""`lst-robust report`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fixtures.commands import PUBLISHED
from tests.report.conftest import digits, results  # noqa: F401 (fixtures)

ALEXNET = ("--model", "alexnet", "--checkpoint", str(PUBLISHED / "alexnet.safetensors"))


@pytest.fixture
def measured(run, tiny):
    assert run("eval", *ALEXNET, "--suite", str(tiny)).exit_code == 0
    return lambda *arguments: run("report", "--suite", str(tiny), *arguments)


@pytest.fixture
def asked(run, results):  # noqa: F811
    """Of results that are there already."""
    return lambda *arguments: run("report", "--results-dir", str(results), *arguments)


def test_a_page_from_a_measurement(measured):
    result = measured("--out", "page", "--examples", "--title", "Mine")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.split() == ["page/index.html"]
    page = Path("page/index.html").read_text(encoding="utf-8")
    assert "alexnet" in page and "<title>Mine" in page and "data:image/png" in page
    assert len(list(Path("page/networks").iterdir())) == 1


def test_a_figure_to_a_file_and_to_standard_output(asked):
    result = asked("--figure", "curves", "--out", "a.pdf")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "" and Path("a.pdf").read_bytes().startswith(b"%PDF") and "wrote a.pdf" in result.stderr
    piped = asked("--figure", "heatmap", "--format", "svg", "--width", "page", "--out", "-")
    assert piped.exit_code == 0 and piped.stdout.startswith("<?xml")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ((), 2, "--out"),
        (("--out", "a.pdf", "--figure", "pie"), 2, "pie"),
        (("--out", "a.gif", "--figure", "curves"), 2, "--format pdf, svg, png"),
        (("--out", "page", "--format", "pdf"), 2, "--format: it belongs to --figure"),
        (("--out", "page", "--width", "page"), 2, "--width: it belongs to --figure"),
        (("--out", "a.pdf", "--figure", "curves", "--examples"), 2, "--examples: the figure curves does not show it"),
        (("--out", "a.pdf", "--figure", "curves", "--title", "x"), 2, "--title: the figure curves does not show it"),
        (("--out", "a.pdf", "--figure", "curves", "--reference", "x"), 2, "--reference: the figure curves"),
        (("--out", "a.pdf", "--figure", "heatmap", "--published", "paper"), 2, "--published: the figure heatmap"),
        (("--out", "a.pdf", "--figure", "seeds", "--data-dir", "x"), 2, "--data-dir: the figure seeds"),
        (("--out", "page", "--baseline", "none.json"), 3, "none.json"),
        (("--out", "-"), 2, "a report is a folder of pages"),
        (("--out", "page", "--model", "vgg16"), 5, "no records of 'vgg16'"),
        (("--out", "page", "--reference", "vgg16"), 5, "vgg16"),
        (("--out", "page", "--match", "x"), 2, "match"),
        (("--out", "a-file"), 2, "is a file"),
    ],
)
def test_wrong_input_is_one_line_and_its_code(asked, tmp_path, arguments, code, text):
    (tmp_path / "a-file").write_text("")
    result = asked(*arguments)
    assert result.exit_code == code, result.output
    line = result.stderr.strip().splitlines()[-1]
    assert text in line and "Traceback" not in result.output
    assert not any(name.endswith((".pdf", ".gif")) for name in os.listdir("."))


def test_without_records_there_is_nothing_to_show(run):
    result = run("report", "--out", "page")
    assert result.exit_code == 5 and "lst-robust eval" in result.stderr
