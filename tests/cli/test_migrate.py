"""`lst-robust migrate`."""

from __future__ import annotations

from pathlib import Path

import pytest

from lst_robust.records.store import Store
from tests.fixtures.commands import parsed
from tests.fixtures.records import PROBED, RUN, edit, write_earlier


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder with a run of release 0.1 and one of release 0.2."""
    store = Store(tmp_path / "results")
    write_earlier(store, 2)
    write_earlier(store, 3)
    return store.results_dir


def test_the_files_that_were_made_are_named_and_the_cells_counted(run, results):
    migrated = run("migrate", str(results))
    assert migrated.exit_code == 0
    assert migrated.stdout.splitlines() == [str(path) for path in sorted(results.rglob("run.parquet"))]
    assert migrated.stderr == "packed 6 cells of 2 runs; 0 files left as they are\n"
    assert len([path for path in results.rglob("*") if path.is_file()]) == 2
    store = Store(results)
    assert len(store.load(RUN)) == len(store.load(PROBED)) == 3


def test_as_json_and_a_second_time(run, results):
    damaged = next(results.rglob("fog-3.json"))
    edit(damaged, top1_error=1.0)
    migrated = parsed(run("migrate", str(results), "--json"))
    runs = [str(path) for path in sorted(results.rglob("run.parquet"))]
    assert migrated == {"runs": runs, "cells": 5, "left": [str(damaged)]}
    assert parsed(run("migrate", str(results), "--json")) == {"runs": [], "cells": 0, "left": [str(damaged)]}
    again = run("migrate", str(results))
    assert (again.exit_code, again.stdout) == (0, "")
    assert again.stderr.endswith("packed 0 cells of 0 runs; 1 files left as they are\n")


def test_a_folder_that_is_not_there_has_nothing_to_pack(run, tmp_path):
    for path in (tmp_path / "nowhere", Path(__file__)):
        migrated = run("migrate", str(path))
        assert migrated.exit_code == 5 and migrated.stdout == ""
        assert f"no results folder {path}: give the one that lst-robust eval has written" in migrated.stderr
        assert len(migrated.stderr.splitlines()) == 1
