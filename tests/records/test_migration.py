"""Records of earlier releases are packed with the numbers they have, or stay as they are."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import pytest

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError
from lst_robust.records.folder import run_file_of
from lst_robust.records.migration import migrate
from lst_robust.records.packed import read_packed_run
from lst_robust.records.packed_files import PACKED
from lst_robust.records.record import Record, Run
from lst_robust.records.run_file import RunFile
from lst_robust.records.store import Store, packing
from tests.fixtures.records import (
    FOG,
    PROBED,
    RUN,
    RUN_FILE,
    begin,
    edit,
    files,
    record,
    records,
    write_earlier,
)

SCHEMAS = (1, 2, 3)


def run_of(schema: int) -> Run:
    return PROBED if schema == 3 else RUN


def expected(schema: int) -> dict[Cell, Record]:
    """What the cells of `write_earlier` are today."""
    made = records(run_of(schema), classes=None)
    if schema > 1:
        return made
    lacking = {"top5_error": None, "calibration": None}
    return {
        cell: one.model_copy(update=lacking | {"provenance": one.provenance.model_copy(update={"transform": None})})
        for cell, one in made.items()
    }


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_run_becomes_one_file_of_the_same_numbers(store, caplog, schema):
    folder = write_earlier(store, schema)
    migrated = migrate(store.results_dir)
    assert migrated == ([folder / PACKED], 3, [])
    assert [path.name for path in folder.iterdir()] == [PACKED]
    run = run_of(schema)
    assert store.load(run) == expected(schema)
    assert list(store.scan(None, predictions=True)) == [(run, expected(schema))]
    assert folder.name.endswith(run.digest), "a run keeps its name"
    assert run_file_of(folder) == (RUN_FILE if schema == 3 else RunFile(protocol=RUN.protocol, model=RUN.model))
    assert not caplog.messages


def test_a_run_of_schema_3_that_has_lost_its_run_file_has_no_answers(store):
    folder = write_earlier(store, 3)
    (folder / "run.json").unlink()
    assert migrate(store.results_dir).cells == 3
    assert run_file_of(folder) == RunFile(protocol=PROBED.protocol, model=PROBED.model)
    assert store.load(PROBED) == expected(3)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_what_was_packed_is_not_packed_again(store, schema):
    folder = write_earlier(store, schema)
    migrate(str(store.results_dir))
    before = (folder / PACKED).stat().st_mtime_ns
    assert migrate(store.results_dir) == ([], 0, [])
    assert (folder / PACKED).stat().st_mtime_ns == before


def test_runs_of_today_are_left_alone(store, tmp_path):
    begin(store)
    other = begin(Store(store.results_dir), RunFile.of(RUN, RUN_FILE.probe_answers() + 1))
    store.pack(run_file_of(other).run)
    before = [files(path) for path in sorted(other.parent.iterdir())]
    assert migrate(store.results_dir) == ([], 0, [])
    assert [files(path) for path in sorted(other.parent.iterdir())] == before
    assert migrate(tmp_path / "nowhere") == ([], 0, [])


DAMAGE = {
    "an error that does not follow": lambda path: edit(path, top1_error=1.0),
    "another severity": lambda path: edit(path, severity=4),
    "another protocol": lambda path: edit(path, protocol=RUN.protocol.model_dump() | {"seed": 1}),
    "a key too many": lambda path: edit(path, extra=1),
    "no JSON": lambda path: path.write_bytes(path.read_bytes()[:200]),
    "an unknown schema": lambda path: edit(path, schema_version=99),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_damaged_file_stays_and_is_named(store, caplog, schema, damage):
    folder = write_earlier(store, schema)
    path = folder / "fog-3.json"
    DAMAGE[damage](path)
    content = path.read_bytes()
    assert migrate(store.results_dir) == ([folder / PACKED], 2, [path])
    assert files(folder).keys() == {PACKED, path.name} and path.read_bytes() == content
    (line,) = caplog.messages
    assert line.startswith(f"{path}: ") and line.endswith("; it stays as it is")
    others = {cell: one for cell, one in expected(schema).items() if cell != FOG}
    assert read_packed_run(folder / PACKED, predictions=True).records == others
    again = migrate(store.results_dir)
    assert (again.runs, again.cells) == ([], 0)
    assert path.read_bytes() == content


def test_a_run_of_nothing_but_damaged_files_stays_as_it_is(store):
    folder = write_earlier(store, 2)
    for path in folder.iterdir():
        edit(path, top1_error=1.0)
    before = files(folder)
    assert migrate(store.results_dir) == ([], 0, sorted(folder.iterdir()))
    assert files(folder) == before


@pytest.mark.parametrize("name", ["run.json", PACKED])
def test_a_run_whose_file_is_damaged_stays_as_it_is_and_hides_no_other(store, caplog, name):
    folder, other = write_earlier(store, 3), write_earlier(store, 1)
    (folder / name).write_text("damaged")
    before = files(folder)
    migrated = migrate(store.results_dir)
    assert migrated.runs == [other / PACKED] and migrated.cells == 3
    assert migrated.left == sorted(path for path in folder.glob("*.json") if path.name != "run.json")
    assert files(folder) == before
    (line,) = caplog.messages
    assert line.startswith(f"{folder / name}: damaged (") and line.endswith("; its run stays as it is")


def test_cells_of_today_in_the_same_folder_are_newer_and_packed_too(store):
    """As of a run that today's release went on with: its own cells win, then the packed ones, then the earlier."""
    folder = write_earlier(store, 3)
    migrate(store.results_dir)
    write_earlier(store, 3, {cell: record(cell, wrong=1, classes=None) for cell in expected(3)})
    newer = record(FOG, wrong=11)
    store.write(newer)
    (folder / "clean.json").unlink()
    assert migrate(store.results_dir) == ([folder / PACKED], 2, [])
    assert [path.name for path in folder.iterdir()] == [PACKED]
    assert Store(store.results_dir).load(PROBED) == expected(3) | {FOG: newer}


def test_a_damaged_cell_of_today_stays_beside_what_was_packed(store, caplog):
    folder = write_earlier(store, 3)
    path = store.write(record(FOG))
    edit(path, top1_error=1.0)
    assert migrate(store.results_dir) == ([folder / PACKED], 2, [path])
    assert path.exists() and caplog.messages[0].endswith("; it stays as it is")


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_disk_that_is_full_leaves_all_as_it_was(store, monkeypatch, schema):
    folder = write_earlier(store, schema)
    before = files(folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(DataError, match=r"run\.parquet: cannot be written \(No space left on device\)"):
            migrate(store.results_dir)
    assert files(folder) == before
    assert migrate(store.results_dir).cells == 3


def test_a_migration_that_ends_between_two_files_goes_on_from_there(store, monkeypatch):
    folder, unlink = write_earlier(store, 3), Path.unlink

    def once(path: Path, **options: bool) -> None:
        if path.name == "fog-1.json":
            raise KeyboardInterrupt
        unlink(path, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", once)
        with pytest.raises(KeyboardInterrupt):
            migrate(store.results_dir)
    assert files(folder).keys() == {PACKED, "fog-1.json", "fog-3.json", "run.json"}
    assert migrate(store.results_dir).cells == 2
    assert files(folder).keys() == {PACKED}
    assert store.load(PROBED) == expected(3)


def test_a_run_that_another_process_packs_is_migrated_after_it(store):
    folder = write_earlier(store, 3)
    migration = Thread(target=migrate, args=(store.results_dir,))
    with packing(folder):
        migration.start()
        migration.join(0.5)
        assert migration.is_alive() and PACKED not in files(folder)
    migration.join(30)
    assert files(folder).keys() == {PACKED}
    assert store.load(PROBED) == expected(3)
