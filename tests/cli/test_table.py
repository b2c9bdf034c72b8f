"""`lst-robust table`."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lst_robust.benchmark import Cell
from lst_robust.records.store import Store
from tests.analysis import simulated
from tests.fixtures.commands import PUBLISHED, command, parsed, write_tiny_suite

PAGE = (Path(__file__).parents[2] / "docs" / "published.md").read_text(encoding="utf-8")
ALEXNET = ("--model", "alexnet", "--checkpoint", str(PUBLISHED / "alexnet.safetensors"))


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """The records of AlexNet on the tiny suite, measured once for all tests. `measured` copies them."""
    folder = tmp_path_factory.mktemp("measured")
    process = command("eval", *ALEXNET, "--suite", str(write_tiny_suite(folder)), folder=folder)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    return folder / "results"


@pytest.fixture
def measured(run, results):
    """`run` in a folder that has those records."""
    shutil.copytree(results, "results")
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


def test_a_file_is_the_same_wherever_the_call_is_made(measured, tiny):
    for name, environment in (
        ("a.txt", {}),
        ("b.txt", {"FORCE_COLOR": "1", "COLUMNS": "50", "TERM": "xterm-256color"}),
    ):
        assert measured("table", "--suite", str(tiny), "--out", name, **environment).exit_code == 0
    text = Path("a.txt").read_text()
    assert text == Path("b.txt").read_text() and "\x1b" not in text and "alexnet" in text
    refused = measured("table", "--suite", str(tiny), "--out", "table.pdf")
    assert refused.exit_code == 2 and "let the name end in .csv, .md, .tex, .html or .txt" in refused.stderr
    assert not Path("table.pdf").exists()


def test_table_with_the_papers_rows_marked_as_another_protocol(measured, tiny):
    text = measured("table", "--suite", str(tiny), "--format", "md", "--paper").stdout
    assert "another protocol" in text
    assert "79.89" in text  # LST-Net-18 (w/ ST) as printed


def test_table_tells_runs_of_one_model_apart(measured, tiny):
    assert measured("eval", "-m", "alexnet", "-s", str(tiny), "--train-seed", "3").exit_code == 0
    rows = json.loads(measured("table", "--suite", str(tiny), "--json").stdout)
    assert len({row["model"] for row in rows}) == 2
    assert any("seed 3" in row["model"] for row in rows)


@pytest.mark.parametrize("option", [(), ("--format", "csv"), ("--seeds",), ("--json",)])
def test_a_mean_over_trainings_of_changed_code_is_said_on_stderr(run, option):
    store = Store("results")
    for seed, structure in enumerate("ab"):
        one = simulated.measured("net", {Cell("fog", 1): np.arange(20) < 5}, weights=str(seed), train_seed=seed)
        simulated.stored(store, simulated.with_identity(one, structure=structure))
    shown = run("table", *option)
    assert shown.exit_code == 0 and "net" in shown.stdout
    (line,) = shown.stderr.splitlines()
    assert "the trainings of net differ in structure, and still count as trainings of one network" in line


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


@pytest.mark.parametrize("format", ["csv", "md", "latex", "html", "rich"])
def test_published_rows_in_every_format_without_any_of_ones_own(run, format):
    result = run("table", "--published", "testbed", "--match", "resnet18", "--match", "vgg1?", "--format", format)
    assert result.exit_code == 0, result.stderr
    assert "83.37" in result.stdout or format == "csv"
    assert all(name in result.stdout for name in ("resnet18", "vgg11")) and "resnet50" not in result.stdout
    assert result.stderr.splitlines() == [
        "no rows of your own: no records in results: measure a model first, with lst-robust eval --model lst18"
    ]


def test_the_csv_names_the_source_of_every_row(run, measured, tiny):
    text = measured("table", "--suite", str(tiny), "--published", "robustbench", "--format", "csv").stdout
    rows = pd.read_csv(io.StringIO(text), keep_default_na=False)
    assert rows["source"].tolist() == [""] + ["robustbench"] * 48 and rows["model"][0] == "alexnet"
    assert set(zip(rows["suite"], rows["n"], strict=True)) == {
        ("tiny", 20), ("imagenet-c", 5000), ("cifar10-c", 10000), ("cifar100-c", 10000)
    }  # fmt: skip


def test_the_json_marks_published_rows(measured, tiny):
    rows = json.loads(measured("table", "--suite", str(tiny), "--published", "hendrycks", "--paper", "--json").stdout)
    assert [row.get("published", {}).get("name") for row in rows] == [None, "hendrycks", *["paper"] * 10]


def test_paper_is_short_for_the_published_set(run):
    texts = {run("table", *asked, "--format", "csv").stdout for asked in (["--paper"], ["--published", "paper"])}
    assert len(texts) == 1 and "LST-Net-18 (w/ ST)" in texts.pop()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--published", "testbd"], "unknown published set 'testbd': did you mean testbed?"),
        (
            ["--published", "testbed", "--match", "resnt18"],
            "no model of testbed matches 'resnt18': did you mean",
        ),
        (["--match", "resnet18"], "name their set as published (robustbench, testbed, paper, hendrycks)"),
    ],
)
def test_what_cannot_be_meant_is_one_line(run, asked, words):
    result = run("table", *asked)
    assert result.exit_code == 2 and words in result.stderr and result.stderr.count("\n") == 1


def test_an_unknown_suite_is_an_error_beside_published_rows_too(run):
    assert run("table", "--suite", "nothing", "--published", "paper").exit_code == 2


def test_the_caution_of_a_normaliser_is_visible_where_it_is_used(measured, tiny):
    asked = ("--suite", str(tiny), "--normaliser", "alexnet-testbed-in-memory")
    for shown in (measured("table", *asked), measured("eval", *ALEXNET, *asked)):
        assert shown.exit_code == 0
        assert "Caution: alexnet-testbed-in-memory" in " ".join(shown.stdout.split())
    assert parsed(measured("eval", *ALEXNET, *asked, "--json"))["notes"][0].startswith("Caution")


@pytest.mark.parametrize("line", re.findall(r"^lst-robust (table .*)$", PAGE, re.MULTILINE))
def test_the_commands_of_the_page_work(run, line):
    result = run(*shlex.split(line))
    assert result.exit_code == 0, result.stderr


def test_the_python_of_the_page_works(capsys):
    (script,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(script, {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("official files 76.5") and lines[1].startswith("in memory None (")
