"""`lst-robust show`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lst_robust.records.store import read_record
from tests.fixtures.commands import PUBLISHED, parsed
from tests.fixtures.processes import after_record

ALEXNET = ("--model", "alexnet", "--checkpoint", str(PUBLISHED / "alexnet.safetensors"))
ASKED = ("eval", *ALEXNET, "--suite", "tiny.yaml", "--corruptions", "fog", "--severities", "3")


@pytest.fixture
def packed(run, tiny) -> tuple[str, ...]:
    """A run that is complete, and the cell to show."""
    assert run(*ASKED).exit_code == 0
    (path,) = Path("results").rglob("run.parquet")
    return str(path), "--cell", "fog-3"


@pytest.fixture
def cell_file(run, tiny, monkeypatch) -> Path:
    """The file of a cell, of a run that was broken off before it was packed."""
    with monkeypatch.context() as patched:
        after_record(patched, 2, lambda: 1 / 0)
        assert run(*ASKED).exit_code == 3
    (path,) = Path("results").rglob("fog-3.json")
    return path


WORDS = (
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
)


def test_a_record_with_everything_that_led_to_it(run, packed):
    shown = run("show", *packed)
    assert shown.exit_code == 0 and shown.stderr == ""
    assert [word for word in WORDS if word not in shown.stdout] == []


def test_the_file_of_a_cell(run, cell_file):
    shown = run("show", str(cell_file))
    assert shown.exit_code == 0, shown.stderr
    assert [word for word in WORDS if word not in shown.stdout] == []


def test_as_json(run, packed):
    shown = parsed(run("show", *packed, "--json"))
    stored = read_record(Path(packed[0]), "fog-3").model_dump(mode="json")
    assert {key: shown[key] for key in stored} == stored
    wrong = 100 - 5 * shown["numbers"]["correct"]  # of 20 images
    assert shown["numbers"]["top1_error"] == wrong == shown["top1_error"]
    assert 0 <= shown["numbers"]["top5_error"] <= wrong
    assert 0 <= shown["numbers"]["ece"] <= 100
    assert 0 <= shown["numbers"]["brier"] <= 2


def refused(run, *arguments: str) -> str:
    shown = run("show", *arguments)
    assert shown.exit_code == 3 and shown.stdout == ""
    (line,) = shown.stderr.splitlines()
    return line


def test_what_is_no_record_is_refused_in_one_line(run, cell_file):
    stored = json.loads(cell_file.read_text())
    cell_file.write_text(json.dumps(stored | {"top1_error": 99.0}))
    assert "does not follow from the correctness bits" in refused(run, str(cell_file))
    assert "is a folder" in refused(run, str(cell_file.parent))
    assert "cannot be read" in refused(run, str(cell_file.with_name("none.json")))


def test_a_cell_of_a_run_must_be_named(run, packed):
    assert "holds 2 cells: choose one with --cell, such as clean" in refused(run, packed[0])
    assert "holds 2 cells" in refused(run, packed[0], "--cell", "fog-4")


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
