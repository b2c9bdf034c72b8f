"""The other commands, and what all of them share."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lst_robust import __version__
from lst_robust.models import read_checkpoint
from lst_robust.suites import suite_names
from tests.fixtures.commands import PUBLISHED, parsed

COMMANDS = ("eval", "train", "table", "compare", "check", "models", "suites", "convert")
ALEXNET = ("--model", "alexnet", "--checkpoint", str(PUBLISHED / "alexnet.safetensors"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(run, name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"lst-robust {name}" in result.stdout


def test_help_lists_commands_and_exit_codes_and_is_quick_to_import(run):
    result = run("--help")
    assert all(name in result.stdout for name in COMMANDS)
    assert "130 interrupted, 143 ended by SIGTERM" in " ".join(result.stdout.split())
    code = "import sys, lst_robust.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_version(run):
    assert run("--version").stdout == f"lst-robust {__version__}\n"


def test_unknown_options_and_commands_are_usage_errors(run):
    assert run("eval", "--modle", "lst18").exit_code == 2
    assert run("evaluate").exit_code == 2


def test_python_m_lst_robust_is_the_same_command():
    call = [sys.executable, "-m", "lst_robust", "--version"]
    answer = subprocess.run(call, capture_output=True, text=True, check=True)
    assert answer.stdout == f"lst-robust {__version__}\n"


def test_an_unexpected_error_is_one_line_too(run, monkeypatch):
    monkeypatch.setattr("lst_robust.suites.suite_names", lambda: 1 / 0)
    result = run("suites")
    assert result.exit_code == 3
    assert result.stderr.startswith("error: unexpected ZeroDivisionError")


def test_suites_lists_all_and_shows_one(run):
    assert {suite["name"] for suite in parsed(run("suites", "--json"))} == set(suite_names())
    assert all(name in run("suites").stdout for name in suite_names())
    assert "lr: 0.002" in run("suites", "digits-c").stdout
    assert run("suites", "digit-c").exit_code == 2


def test_models_lists_and_describes(run):
    rows = parsed(run("models", "lst18", "alexnet", "--json"))
    assert [row["name"] for row in rows] == ["lst18", "alexnet"]
    keys = "name family input_size num_classes params params_expanded macs paper_params paper_macs verdict"
    assert set(keys.split()) <= set(rows[0])
    assert "lst18" in run("models", "lst18").stdout
    assert run("models", "lst81").exit_code == 2


def test_train_writes_a_checkpoint_and_does_not_do_it_twice(run, tiny):
    asked = ("train", "-m", "alexnet", "-s", str(tiny), "--json")
    first = parsed(run(*asked))
    path = Path(first["checkpoint"])
    assert first["trained"]
    assert path.with_suffix(".csv").read_text().startswith("epoch,loss")
    assert not list(path.parent.glob("*.resume"))
    _, metadata = read_checkpoint(path)
    assert metadata["model"] == "alexnet"
    assert metadata["classes"] == [str(digit) for digit in range(10)]
    again = run(*asked)
    assert not parsed(again)["trained"]
    assert "--overwrite" in again.stderr
    assert parsed(run(*asked, "--overwrite"))["sha256"] == first["sha256"]


def test_train_takes_its_own_settings(run, tiny):
    asked = ("train", "-m", "alexnet", "-s", str(tiny), "--epochs", "2", "--lr", "0.001", "-b", "8", "--seed", "3")
    path = "my folder/ä.safetensors"
    result = parsed(run(*asked, "--half", "--out", path, "--json"))
    assert result["recipe"] | {"epochs": 2, "lr": 0.001, "batch_size": 8, "seed": 3} == result["recipe"]
    assert Path(path).stat().st_size < 5_000_000
    measured = run("eval", "-m", "alexnet", "-s", str(tiny), "--checkpoint", path, "--severities", "1")
    assert measured.exit_code == 0, measured.stderr
    assert run("train", "-m", "alexnet", "-s", str(tiny), "--lr", "-1").exit_code == 2


def test_convert_writes_safetensors_that_eval_takes(run, tiny, released_checkpoint):
    source = released_checkpoint("lst20")
    digits = ",".join(str(digit) for digit in range(10))
    result = run("convert", str(source), "lst20.safetensors", "-m", "lst20", "--classes", digits, "--json")
    assert parsed(result)["model"] == "lst20"
    _, metadata = read_checkpoint("lst20.safetensors")
    assert metadata["source"] == source.name
    measured = run("eval", "-m", "lst20", "-s", str(tiny), "--checkpoint", "lst20.safetensors", "--severities", "1")
    assert measured.exit_code == 0, measured.stderr
    wrong = run("convert", str(source), "r.safetensors", "-m", "resnet18")
    assert wrong.exit_code == 3 and wrong.stderr.count("error:") == 1
    assert run("convert", "missing.pth", "x.safetensors", "-m", "lst20").exit_code == 3
    assert run("convert", str(source), "x.pth", "-m", "lst20").exit_code == 2


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
