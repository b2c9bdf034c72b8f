"""`lst-robust show`."""

from __future__ import annotations

from pathlib import Path

import pytest

from lst_robust.records.folder import read_record
from lst_robust.records.packed import packed_run
from lst_robust.records.store import Store
from tests.fixtures.commands import PUBLISHED, parsed
from tests.fixtures.records import RUN_FILE, begin, edit, records

ALEXNET = ("--model", "alexnet", "--checkpoint", str(PUBLISHED / "alexnet.safetensors"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture
def packed(run, tiny, tmp_path):
    run("eval", *ALEXNET, "--suite", str(tiny), "--corruptions", "fog", "--severities", "3")
    return next(tmp_path.rglob("run.parquet"))


def test_a_record_with_everything_that_led_to_it(run, packed):
    shown = run("show", str(packed), "--cell", "fog-3")
    assert shown.exit_code == 0
    for words in (
        "alexnet on tiny: fog-3",
        "of 20 images",
        "protocol.suite_digest",
        "protocol.images",
        "model.checkpoint_sha256",
        "provenance.git_revision",
        "provenance.versions",
        "provenance.images_per_second",
        "scaled to 32 x 32 (bicubic)",
        "lst-robust 1",
    ):
        assert words in shown.stdout
    assert shown.stderr == ""


def test_as_json(run, packed):
    shown = parsed(run("show", str(packed), "--cell", "fog-3", "--json"))
    numbers = shown.pop("numbers")
    assert shown == read_record(packed, "fog-3").model_dump(mode="json")
    assert {"predicted", "confidence", "correct", "protocol", "model"} <= set(shown)
    wrong = 100 - 5 * numbers["correct"]  # of 20 images
    assert numbers["top1_error"] == wrong == shown["top1_error"]
    assert 0 <= numbers["top5_error"] <= wrong
    assert 0 <= numbers["ece"] <= 100
    assert 0 <= numbers["brier"] <= 2
    clean = parsed(run("show", str(packed), "--cell", "clean", "--json"))
    assert clean["corruption"] == "clean"


def test_a_cell_of_a_run_that_is_not_complete(run, store):
    path = begin(store) / "fog-3.json"
    shown = parsed(run("show", str(path), "--json"))
    assert {key: shown[key] for key in ("corruption", "severity", "top1_error")} == {
        "corruption": "fog",
        "severity": 3,
        "top1_error": 35.0,
    }
    assert "lst18 on digits-c: fog-3" in run("show", str(path)).stdout


def test_what_is_no_record_is_refused_in_one_line(run, store):
    folder = begin(store)
    edit(folder / "fog-3.json", top1_error=99.0)
    (folder / "run.parquet").write_bytes(packed_run(RUN_FILE, records()))
    (folder / "damaged.parquet").write_bytes(packed_run(RUN_FILE, records())[:-1])
    for arguments, words in (
        (["fog-3.json"], "does not follow from the correctness bits"),
        (["."], "is a folder"),
        (["none.json"], "there is no file"),
        (["none.parquet"], "there is no file"),
        (["run.json"], "holds no cell"),
        (["lst18.csv"], "is no file of records"),
        (["run.parquet"], "holds 3 cells: choose one with --cell, such as clean"),
        (["run.parquet", "--cell", "fog-5"], "holds 3 cells: choose one with --cell, such as clean"),
        (["damaged.parquet", "--cell", "fog-3"], "damaged (it is not as it was written)"),
    ):
        shown = run("show", str(folder / arguments[0]), *arguments[1:])
        assert shown.exit_code == (2 if "holds" in words or "no file of" in words else 3)
        assert words in shown.stderr
        assert len(shown.stderr.splitlines()) == 1


def test_another_cell_than_the_files_is_refused(run, store):
    path = begin(store) / "fog-3.json"
    refused = run("show", str(path), "--cell", "clean")
    assert refused.exit_code == 2 and "holds fog-3, not clean: leave out --cell" in refused.stderr
    assert run("show", str(path), "--cell", "fog-3").exit_code == 0


def test_names_are_not_read_as_markup(run, tiny, tmp_path):
    """A model's name may be a path, and a path may look like rich's markup."""
    folder = tmp_path / "x[" / "y]"
    folder.mkdir(parents=True)
    (folder / "m.py").write_text(
        "from torch import nn\n\ndef net(num_classes, **_):\n"
        "    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, num_classes))\n"
    )
    asked = ("--suite", str(tiny), "--corruptions", "fog", "--severities", "3")
    evaluated = run("eval", "--model", "x[/y]/m.py:net", *asked)
    assert evaluated.exit_code == 0, evaluated.stderr
    assert "x[/y]/m.py:net on tiny" in evaluated.stdout
    shown = run("show", str(next(tmp_path.rglob("run.parquet"))), "--cell", "fog-3")
    assert shown.exit_code == 0 and "x[/y]/m.py:net on tiny" in shown.stdout
