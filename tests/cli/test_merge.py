"""`lst-robust merge`."""

from __future__ import annotations

from pathlib import Path

import pytest

from lst_robust.records.store import Store
from tests.fixtures.commands import parsed
from tests.fixtures.records import CELLS, FOG, PROBED, RUN_FILE, begin, edit, record


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    """Two results folders, of which the second has a cell less."""
    for name in ("a", "b"):
        begin(Store(tmp_path / name))
    (Store(tmp_path / "b").run_folder(PROBED) / "clean.json").unlink()
    return ["a", "b"]


def test_what_was_written_is_named(run, two, tmp_path):
    folder = Store(Path("c")).run_folder(PROBED)
    merged = run("merge", *two, "--into", "c")
    assert (merged.exit_code, merged.stdout) == (0, f"{folder}\n")
    assert merged.stderr.endswith(
        "merged 3 cells of 1 runs and 0 checkpoints into c; 2 cells and 0 checkpoints were there\n"
    )
    assert set(Store("c").load(PROBED)) == set(CELLS)
    again = run("merge", *two, "--into", "c")
    assert (again.exit_code, again.stdout) == (0, "")


def test_as_json_without_writing(run, two):
    merged = parsed(run("merge", *two, "--into", "c", "--dry-run", "--json"))
    assert merged == {
        "into": "c",
        "dry_run": True,
        "runs": 1,
        "written": [str(Store(Path("c")).run_folder(PROBED))],
        "cells": 3,
        "equal": 2,
        "replaced": 0,
        "checkpoints": [],
        "equal_checkpoints": 0,
        "conflicts": [],
        "left": [],
    }
    assert not Path("c").exists()


def test_conflicts_and_damage_are_one_line_each_and_code_3(run, two):
    other, damaged = Store(Path("b")), Store(Path("a")).run_folder(PROBED) / "clean.json"
    other.write(record(FOG, wrong=9))
    edit(damaged, top1_error=1.0)
    merged = run("merge", *two, "--into", "c")
    assert merged.exit_code == 3
    lines = merged.stderr.splitlines()
    assert f"warning: {damaged}: not a valid record" in lines[1] and lines[1].endswith("; it is left as it is")
    assert "fog-3 has two outcomes, in a/" in lines[2] and "and in b/" in lines[2]
    assert lines[-1] == "error: 1 cells have two outcomes and 1 files or folders cannot be trusted: see above"
    newest = run("merge", *two, "--into", "c", "--prefer", "newest", "--json")
    assert newest.exit_code == 3 and '"cells": 2' in newest.stdout, "what is damaged still is"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["a"], 2, "Missing option '--into'"),
        (["--into", "c"], 2, "Missing argument"),
        (["a", "", "--into", "c"], 2, "a folder's name is empty"),
        (["a", "a", "--into", "c"], 2, "are the same folder"),
        (["a", "--into", "a/c"], 2, "lies inside of"),
        (["nowhere", "--into", "c"], 5, "nowhere is not there"),
        (["n" * 300, "--into", "c"], 5, "n is not there"),
        (["a", "--into", "n" * 300], 2, "cannot be a folder (File name too long): choose another one"),
        (["a", "--into", "link"], 2, "--into 'link' is a link that leads nowhere: choose a folder"),
        (["a", "--into", "loop"], 2, "--into 'loop' cannot be a folder (Too many levels of symbolic links)"),
    ],
)
def test_wrong_folders_are_one_line(run, two, arguments, code, said):
    Path("link").symlink_to("away")
    Path("loop").symlink_to("loop")
    merged = run("merge", *arguments)
    assert (merged.exit_code, merged.stdout, len(merged.stderr.splitlines())) == (code, "", 1)
    assert said in merged.stderr


def test_a_folder_that_cannot_be_written_is_named(run, two):
    Path("c").mkdir()
    (Path("c") / "digits-c").write_text("no folder")
    merged = run("merge", *two, "--into", "c")
    assert merged.exit_code == 3 and "choose a writable folder" in merged.stderr.splitlines()[-1]


def test_a_run_file_is_not_needed_twice(run, two):
    """The answers to the probe images go with the run."""
    run("merge", *two, "--into", "c")
    from lst_robust.records.folder import run_file_of

    assert run_file_of(Store("c").run_folder(PROBED)) == RUN_FILE
