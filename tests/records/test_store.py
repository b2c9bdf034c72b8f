"""The folder of a run: cells are whole or not there, found again, and never trusted when damaged or foreign."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest

from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import DataError, UsageError
from lst_robust.records.cell_file import EarlierReleaseError
from lst_robust.records.folder import cell_files, read_record, run_file_of, run_folders
from lst_robust.records.packed import PackedRun, read_packed_run
from lst_robust.records.packed_files import PACKED
from lst_robust.records.record import ModelIdentity, Record, Run
from lst_robust.records.run_file import RunFile
from lst_robust.records.store import Store
from tests.fixtures.records import (
    ANSWERS,
    CELLS,
    FOG,
    PROBED,
    PROTOCOL,
    RUN,
    RUN_FILE,
    begin,
    edit,
    record,
    records,
    write_earlier,
)


@pytest.fixture
def folder(store) -> Path:
    """Of a run that is being measured."""
    return begin(store)


@pytest.fixture
def packed(store, folder) -> Path:
    """The file of a run that is complete."""
    store.pack(PROBED)
    return folder / PACKED


def scanned(store: Store) -> dict[str, dict[Cell, Record]]:
    """The cells of all runs, by the runs' digests."""
    return {run.digest: found for run, found in store.scan(None)}


def flip(path: Path) -> None:
    """Damages a file in its middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_record_comes_back_as_it_was(store, caplog):
    path = store.write(record())
    assert store.load(PROBED) == {FOG: record()}
    assert path == store.results_dir / "digits-c" / "lst18" / f"n20-seed0-{PROBED.digest}" / "fog-3.json"
    assert not caplog.messages


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_run_comes_back_as_it_was(store, folder, caplog, is_packed):
    if is_packed:
        store.pack(PROBED)
    for reader in (store, Store(store.results_dir)):
        assert reader.load(PROBED) == records()
        assert all(reader.find(PROBED, cell) == one for cell, one in records().items())
        assert reader.find(PROBED, Cell("fog", 4)) is None
        assert list(reader.scan("digits-c", predictions=True)) == [(PROBED, records())]
    assert run_file_of(folder) == RUN_FILE
    assert not caplog.messages


def test_a_scan_without_predictions_leaves_them_in_the_file(store, packed):
    ((_, found),) = store.scan(None)
    assert {one.predicted for one in found.values()} == {one.confidence for one in found.values()} == {None}
    assert [one.correct for one in found.values()] == [one.correct for one in records().values()]


def test_one_cell_is_found_only_where_it_can_be_trusted(store, folder):
    path = folder / "fog-3.json"
    assert store.find(PROBED, FOG) == record()
    path.rename(path.with_name("fog-4.json"))  # another cell under this one's name
    assert store.find(PROBED, Cell("fog", 4)) is None
    other = Run(PROTOCOL.model_copy(update={"seed": 1}), PROBED.model)
    path.write_bytes(store.write(record(run=other)).read_bytes())
    assert store.find(PROBED, FOG) is None
    path.write_text("{}")
    assert store.find(PROBED, FOG) is None


def test_a_cells_own_file_is_newer_than_its_row(store, packed):
    again = record(wrong=11)
    store.write(again)
    assert store.load(PROBED) == records() | {FOG: again}
    assert store.find(PROBED, FOG) == again
    assert scanned(store)[PROBED.digest][FOG] == again


def test_a_damaged_cell_is_found_in_the_packed_run(store, packed, caplog):
    packed.with_name("fog-3.json").write_text("damaged")
    assert store.find(PROBED, FOG) == record()
    assert store.load(PROBED) == records()
    assert len(caplog.messages) == 1


def test_a_packed_run_is_read_again_only_when_it_has_changed(store, packed, monkeypatch):
    read: list[Path] = []

    def noted(path: Path, **options: bool) -> PackedRun:
        read.append(path)
        return read_packed_run(path, **options)

    monkeypatch.setattr("lst_robust.records.packed_files.read_packed_run", noted)
    for cell in CELLS:
        store.find(PROBED, cell)
    assert len(read) == 1
    other, again = Store(store.results_dir), record(Cell("fog", 5))
    other.write(again)
    other.pack(PROBED)
    read.clear()
    assert store.find(PROBED, Cell("fog", 5)) == again
    assert read == [packed]


def test_cells_that_are_not_packed_are_missed_without_reading_the_runs_one_after_the_other_again(
    store, packed, monkeypatch
):
    """Each run has megabytes of predictions, and a driver asks for the missing cells of many."""
    second = RunFile.of(Run(PROTOCOL, ModelIdentity(name="lst34", checkpoint_sha256="1" * 64)), ANSWERS)
    store.write_run_file(second)
    store.write(record(run=second.run))
    store.pack(second.run)
    runs, lacking = (PROBED, second.run), Cell("contrast", 2)
    assert [store.find(run, lacking) for run in runs] == [None, None]
    with monkeypatch.context() as patched:
        patched.setattr(
            "lst_robust.records.packed_files.read_packed_run", lambda path, **_: pytest.fail(f"{path} is read")
        )
        assert [store.find(run, lacking) for run in (*runs, *runs)] == [None] * 4
    Store(store.results_dir).write(record(lacking))
    assert store.find(PROBED, lacking) == record(lacking)
    Store(store.results_dir).pack(PROBED)
    assert store.find(PROBED, lacking) == record(lacking), "packed meanwhile by another process"
    assert store.find(second.run, FOG) == record(run=second.run), "what is there is read"


def test_a_bad_file_does_not_hide_those_after_it(store, folder, caplog):
    """Neither a damaged one nor a foreign one, in a run or in the whole folder."""
    (folder / "clean.json").write_text("damaged")
    (folder / "fog-1.json").write_bytes((folder / "fog-3.json").read_bytes())
    reasons = (
        f"{folder / 'clean.json'}: damaged (not JSON)",
        f"{folder / 'fog-1.json'}: belongs to another cell, fog-3",
    )
    assert set(store.load(PROBED)) == {FOG}
    assert caplog.messages == [f"{reason}; it is not used and the cell is measured again" for reason in reasons]
    assert {one.levelno for one in caplog.records} == {logging.WARNING}
    caplog.clear()
    assert [(run, set(found)) for run, found in store.scan(None)] == [(PROBED, {FOG})]
    assert caplog.messages == [f"{reason}; it is left out" for reason in reasons]


@pytest.mark.parametrize("damage", [flip, lambda path: path.write_bytes(path.read_bytes()[:-1])])
def test_a_damaged_run_is_named_and_what_is_beside_it_is_used(store, packed, caplog, damage):
    store.write(record(Cell("fog", 4)))
    damage(packed)
    assert store.find(PROBED, FOG) is None
    assert set(store.load(PROBED)) == {Cell("fog", 4)}
    (line,) = caplog.messages
    assert line.startswith(f"{packed}: damaged (")
    assert line.endswith("; it is not used and its cells are measured again")


def test_what_was_measured_again_beside_a_damaged_run_is_scanned_and_packed(store, packed, caplog):
    """A run that is begun again writes run.json, which counts although the head of run.parquet is damaged."""
    packed.write_bytes(b"PAR1")
    assert scanned(store) == {}
    assert [line.partition("; ")[2] for line in caplog.messages] == ["its cells are left out"]
    begin(store)
    assert set(scanned(store)[PROBED.digest]) == set(CELLS)
    caplog.clear()
    store.pack(PROBED)
    assert [line.partition("; ")[2] for line in caplog.messages] == ["it is replaced"]
    assert [path.name for path in packed.parent.iterdir()] == [PACKED]
    assert store.load(PROBED) == records()


@pytest.mark.parametrize("lost", ["run.json", "run.parquet"])
def test_of_two_files_that_say_what_the_run_is_one_is_enough(store, folder, lost):
    run_json = (folder / "run.json").read_bytes()
    store.pack(PROBED)
    (folder / "run.json").write_bytes(run_json)
    (folder / lost).write_bytes(b"damaged")
    assert run_file_of(folder) == RUN_FILE
    (folder / lost).unlink()
    assert run_file_of(folder) == RUN_FILE


def test_a_run_whose_file_was_lost_or_damaged_is_named_once(store, folder, caplog):
    (folder / "run.json").write_text("{}")
    assert scanned(store) == {}
    assert caplog.messages == [
        f"{folder / 'run.json'}: damaged (protocol: Field required); its cells are left out",
    ]
    caplog.clear()
    (folder / "run.json").unlink()
    assert scanned(store) == {}
    assert caplog.messages == [
        f"{folder}: has lost its run.json, so its 3 cells are left out; measure its network again"
    ]
    assert store.load(PROBED) == records(), "the caller knows the run"
    with pytest.raises(DataError, match=r"has lost its run\.json: measure its network again$"):
        store.pack(PROBED)
    assert len(cell_files(folder)) == 3


def test_a_folder_that_holds_another_run_than_its_name_says_is_left_out(store, packed, caplog):
    other = packed.parent.with_name("n20-seed0-0123456789ab")
    packed.parent.rename(other)
    assert scanned(store) == {}
    assert caplog.messages == [f"{other}: holds another run than its name says; it is left out"]


@pytest.mark.parametrize("name", ["a-backup", "lst18-backup"])
def test_of_a_run_that_is_there_twice_the_one_in_its_own_place_counts(store, packed, caplog, name):
    folder = packed.parent
    copy = shutil.copytree(folder.parent, folder.parent.with_name(name)) / folder.name
    (copy / PACKED).write_bytes(b"is not read")
    assert scanned(store)[PROBED.digest].keys() == records().keys() and len(list(store.scan(None))) == 1
    assert caplog.messages[0] == (
        f"{copy}: holds the same run as {folder}; copies are left out, so keep them outside of {store.results_dir}"
    )


def test_a_run_whose_folder_was_renamed_is_read_while_its_own_place_has_no_cells(store, packed, caplog):
    packed.parent.parent.rename(store.results_dir / "digits-c" / "renamed")
    store.write_run_file(RUN_FILE)
    assert scanned(store)[PROBED.digest].keys() == records().keys()
    assert not caplog.messages


def test_many_copies_are_named_by_one_line(store, packed, caplog):
    for name in ("b", "c", "d"):
        shutil.copytree(store.results_dir / "digits-c", store.results_dir / name)
    assert len(list(store.scan(None))) == 1
    assert len(caplog.messages) == 1 and ", and so do 2 more such folders; copies" in caplog.messages[0]


def test_a_packed_run_of_somebody_else_is_neither_used_nor_replaced(store, packed, caplog):
    """Nothing finished is ever overwritten by a different measurement."""
    other = RunFile.of(RUN, ANSWERS + 1)
    theirs = begin(store, other) / PACKED
    theirs.write_bytes(packed.read_bytes())
    reason = f"{theirs}: belongs to another run"
    assert store.load(other.run) == records(other.run)
    assert caplog.messages == [f"{reason}; it is not used and its cells are measured again"]
    caplog.clear()
    assert scanned(store)[other.run.digest].keys() == records().keys()
    assert caplog.messages == [f"{reason}; its cells are left out"]
    with pytest.raises(DataError, match="belongs to another run"):
        store.pack(other.run)
    assert theirs.read_bytes() == packed.read_bytes() and len(cell_files(theirs.parent)) == 3


def test_a_scan_gives_the_runs_of_a_suite_whole_and_in_the_order_of_their_paths(store, caplog):
    named = [Run(PROTOCOL, RUN.model.model_copy(update={"name": name})) for name in ("b", "a", "c")]
    named.append(Run(PROTOCOL.model_copy(update={"suite": "another"}), RUN.model))
    for i, run in enumerate(named):
        run_file = RunFile.of(run, ANSWERS)
        begin(store, run_file)
        if i % 2:
            store.pack(run_file.run)
    found = list(store.scan("digits-c"))
    assert [run.model.name for run, _ in found] == ["a", "b", "c"]
    assert all(set(some) == set(CELLS) for _, some in found)
    assert [run.protocol.suite for run, _ in store.scan(None)] == ["another"] + ["digits-c"] * 3
    assert not list(store.scan("a third"))
    assert not caplog.messages


def test_runs_that_differ_in_anything_live_side_by_side(store):
    runs = (
        PROBED,
        Run(PROTOCOL.model_copy(update={"seed": 1}), RUN.model),
        Run(PROTOCOL, RUN.model.model_copy(update={"checkpoint_sha256": "1" * 64})),
    )
    for wrong, run in enumerate(runs):
        store.write_run_file(RUN_FILE if run == PROBED else RunFile(protocol=run.protocol, model=run.model))
        store.write(record(run=run, wrong=wrong))
    for wrong, run in enumerate(runs):
        assert store.load(run)[FOG].top1_error == pytest.approx(100 * wrong / 20)
    assert set(scanned(store)) == {run.digest for run in runs}
    assert len(run_folders(store.model_folder(RUN))) == 3


def test_a_folder_without_cells_is_no_run(store, caplog):
    store.write_run_file(RUN_FILE)
    store.results_dir.joinpath("digits-c", "lst18", "n1-seed0-0").mkdir()
    store.results_dir.joinpath("digits-c", "lst18", "n2-seed0-0").write_text("a file")
    assert scanned(store) == {} == store.load(PROBED)
    assert not caplog.messages
    store.pack(PROBED)
    assert (store.run_folder(PROBED) / "run.json").exists()


@pytest.mark.parametrize("schema", [1, 2, 3])
def test_cells_of_an_earlier_release_are_named_by_one_line_a_folder(store, caplog, schema):
    folder = write_earlier(store, schema)
    assert scanned(store) == {}
    assert caplog.messages == [
        f"{folder}: 3 cells were written by an earlier release and are left out; pack them with "
        f"lst-robust migrate {store.results_dir}"
    ]
    run = PROBED if schema == 3 else RUN
    assert store.find(run, FOG) is None
    for refusing in (store.load, *([store.pack] if schema == 3 else [])):
        with pytest.raises(EarlierReleaseError, match=f"; pack it with lst-robust migrate {store.results_dir}$"):
            refusing(run)
    assert len(cell_files(folder)) == 3


def test_cells_of_two_releases_in_a_folder_are_told_apart(store, folder, caplog):
    write_earlier(store, 3, {FOG: record(classes=None)})
    assert set(scanned(store)[PROBED.digest]) == set(CELLS) - {FOG}
    assert [line.partition(": ")[2][:8] for line in caplog.messages] == ["1 cells "]


def test_a_damaged_cell_of_an_earlier_release_is_measured_again_as_any_other(store, folder, caplog):
    """Packing the rest leaves it where it is, so that nobody could go on with a run that must be migrated first."""
    write_earlier(store, 3, {FOG: record(classes=None)})
    path = folder / "fog-3.json"
    edit(path, top1_error=1.0)
    assert set(store.load(PROBED)) == set(scanned(store)[PROBED.digest]) == set(CELLS) - {FOG}
    ends = ("it is not used and the cell is measured again", "it is left out")
    assert len(caplog.messages) == 2
    for line, end in zip(caplog.messages, ends, strict=True):
        assert line == f"{path}: not a valid record (top1_error does not follow from the correctness bits); {end}"
    store.write(record())
    assert store.load(PROBED) == records()


def test_one_record_is_read_by_its_path(store, folder):
    for cell in CELLS:
        assert read_record(folder / f"{cell.name}.json") == records()[cell]
    store.pack(PROBED)
    assert read_record(folder / PACKED, "fog-3") == record()
    assert read_record(folder / PACKED, "clean") == records()[CLEAN_CELL]


@pytest.mark.parametrize("cell", [None, "fog-4", "fog", ""])
def test_a_cell_that_a_packed_run_does_not_hold_is_refused(packed, cell):
    with pytest.raises(UsageError) as refused:
        read_record(packed, cell)
    assert str(refused.value) == f"{packed} holds 3 cells: choose one with --cell, such as clean"


def test_what_is_no_record_is_refused_by_its_path(store, folder, tmp_path):
    edit(folder / "fog-3.json", top1_error=1.0)
    alone = tmp_path / "fog-1.json"
    alone.write_bytes((folder / "fog-1.json").read_bytes())
    earlier = write_earlier(Store(tmp_path / "earlier"), 2) / "fog-1.json"
    for path, reason in (
        (folder / "fog-3.json", "does not follow from the correctness bits"),
        (folder / "none.json", "cannot be read (No such file or directory)"),
        (tmp_path / "none.json", "cannot be read (No such file or directory)"),
        (tmp_path / "none.parquet", "cannot be read (No such file or directory)"),
        (alone, "has no run.json of this release beside it; lst-robust migrate packs earlier ones"),
        (earlier, "has no run.json of this release beside it; lst-robust migrate packs earlier ones"),
    ):
        with pytest.raises(DataError) as refused:
            read_record(path)
        assert str(refused.value).startswith(str(path)) and reason in str(refused.value)
    with pytest.raises(UsageError, match=r"run\.json holds no cell, only what its run is"):
        read_record(folder / "run.json")


def test_a_write_that_fails_leaves_the_old_record_and_no_other_file(store, folder, monkeypatch):
    before = sorted(folder.iterdir())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(DataError, match=r"fog-3\.json: cannot be written \(No space left on device\)"):
            store.write(record(wrong=11))
    assert store.load(PROBED) == records()
    assert sorted(folder.iterdir()) == before
