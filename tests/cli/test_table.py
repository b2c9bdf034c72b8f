"""`lst-robust table`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixtures.commands import PUBLISHED

ALEXNET = ("--model", "alexnet", "--checkpoint", str(PUBLISHED / "alexnet.safetensors"))


@pytest.fixture
def measured(run, tiny):
    assert run("eval", *ALEXNET, "--suite", str(tiny)).exit_code == 0
    return run


@pytest.mark.parametrize(
    ("format", "marks"),
    [("csv", "model"), ("md", "| alexnet"), ("latex", r"\begin{tabular}"), ("html", "<table"), ("rich", "alexnet")],
)
def test_table_in_every_format(measured, tiny, tmp_path, format, marks):
    shown = measured("table", "--suite", str(tiny), "--format", format)
    assert shown.exit_code == 0, shown.stderr
    assert marks in shown.stdout and "alexnet" in shown.stdout
    written = measured("table", "--suite", str(tiny), "--format", format, "--out", "folder/table.txt")
    assert written.exit_code == 0
    assert "alexnet" in Path("folder/table.txt").read_text()
    assert written.stdout == ""


def test_table_with_the_papers_rows_marked_as_another_protocol(measured, tiny):
    text = measured("table", "--suite", str(tiny), "--format", "md", "--paper").stdout
    assert "another protocol" in text
    assert "79.89" in text  # LST-Net-18 (w/ ST) as printed


def test_table_tells_runs_of_one_model_apart(measured, tiny):
    assert measured("eval", "-m", "alexnet", "-s", str(tiny), "--train-seed", "3").exit_code == 0
    rows = json.loads(measured("table", "--suite", str(tiny), "--json").stdout)
    assert len({row["model"] for row in rows}) == 2
    assert any("seed 3" in row["model"] for row in rows)


def test_an_empty_table_is_nothing_to_evaluate(run):
    result = run("table")
    assert result.exit_code == 5
    assert "lst-robust eval" in result.stderr
    assert run("table", "--format", "word").exit_code == 2


def test_a_table_leaves_out_another_version_of_the_suite(measured, tiny):
    tiny.write_text(tiny.read_text().replace("version: 1", "version: 2"))
    result = measured("table", "--suite", str(tiny))
    assert result.exit_code == 5
    assert "another version" in result.stderr
