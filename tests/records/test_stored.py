"""Records that stay on disk are those that were measured, or an error of one line."""

from __future__ import annotations

import copy
import gc
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError
from lst_robust.records import stored
from lst_robust.records.numbers import CellNumbers
from lst_robust.records.packed import packed_run
from lst_robust.records.packed_files import PACKED
from lst_robust.records.record import Record, Run
from lst_robust.records.run_file import RunFile
from lst_robust.records.store import Store
from lst_robust.records.stored import KEPT, Loader, StoredRecords, stored_records
from tests.fixtures.records import ANSWERS, CELLS, FOG, PROBED, RUN_FILE, begin, record, records

GONE = "its records have changed or are gone since they were measured"


@pytest.fixture(autouse=True)
def loader(monkeypatch) -> Loader:
    """That of this test alone."""
    monkeypatch.setattr(stored, "_EVALUATIONS", Loader(predictions=True))
    return stored._EVALUATIONS


@pytest.fixture
def found(store: Store) -> StoredRecords:
    """Of a packed run."""
    folder = begin(store)
    store.pack(PROBED)
    return stored_records(folder, PROBED, store.load(PROBED))


def forget() -> None:
    """As after some further runs."""
    stored._EVALUATIONS._kept.clear()


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_they_are_the_records_of_the_folder(store, packed, kept, monkeypatch):
    folder = begin(store)
    found = stored_records(folder, PROBED, store.load(PROBED))
    if packed:
        store.pack(PROBED)
    if not kept:
        forget()
    assert all(np.array_equal(bits, ~records()[cell].correct_bits()) for cell, bits in found.wrong().items())
    assert list(found.wrong()) == list(found) == list(found.numbers)
    assert found == records() and records() == found and dict(found) == records()
    assert found[FOG].predicted_classes() is not None
    assert found.numbers == {cell: CellNumbers.of(one) for cell, one in records().items()}
    monkeypatch.setattr(stored, "read_folder", lambda *_, **__: pytest.fail("its records are in memory"))
    assert found != records() | {FOG: record(FOG, wrong=9)} and found.get(Cell("snow", 1)) is None
    with pytest.raises(KeyError):
        found[Cell("snow", 1)]


def test_some_of_them_in_another_order(found):
    some = found.only([FOG, CELLS[0]])
    forget()
    assert list(some) == list(some.wrong()) == [FOG, CELLS[0]] and len(some) == 2
    assert all(np.array_equal(bits, ~records()[cell].correct_bits()) for cell, bits in some.wrong().items())
    assert found.only([]).wrong() == {} and CELLS[1] not in some


def test_numbers_and_what_is_there_need_no_file(found, monkeypatch):
    forget()
    monkeypatch.setattr(stored, "read_folder", lambda *_, **__: pytest.fail("a file was read"))
    monkeypatch.setattr(stored, "read_packed_numbers", lambda *_: pytest.fail("a file was read"))
    assert (FOG in found, Cell("snow", 1) in found, len(found), list(found)) == (True, False, 3, list(CELLS))
    assert found.keys() == records().keys() and found.numbers[FOG].top1_error == record(wrong=7).top1_error
    assert repr(found) == f"<3 records in {found.folder}>"


def test_a_run_is_read_once_for_all_of_its_cells(found, monkeypatch):
    forget()
    seen, read = [], stored.read_folder
    monkeypatch.setattr(stored, "read_folder", lambda folder, **how: seen.append(folder) or read(folder, **how))
    for _ in range(2):
        assert len([one.correct for one in found.values()]) == 3
    assert seen == [found.folder]


def test_only_the_last_few_runs_are_in_memory(tmp_path):
    def run(number: int) -> Run:
        return PROBED._replace(model=PROBED.model.model_copy(update={"name": f"net{number}"}))

    store, kept = Store(tmp_path / "results"), []
    gc.collect()
    before = sum(type(one) is Record for one in gc.get_objects())
    for number in range(KEPT + 3):
        begun = RunFile.of(run(number), ANSWERS)
        folder = begin(store, begun)
        store.pack(begun.run)
        kept.append(stored_records(folder, begun.run, Store(store.results_dir).load(begun.run)))
    del store
    gc.collect()
    assert sum(type(one) is Record for one in gc.get_objects()) - before == KEPT * len(CELLS)
    assert [one[FOG].model.name for one in kept] == [f"net{number}" for number in range(KEPT + 3)]


@pytest.mark.parametrize("how", [pickle.dumps, copy.copy, copy.deepcopy])
def test_pickled_and_copied_they_need_no_folder(found, how):
    forget()
    made = how(found)
    shutil.rmtree(found.folder)
    made = pickle.loads(made) if isinstance(made, bytes) else made
    assert type(made) is dict and made == records()


def test_a_path_may_be_relative_to_a_folder_that_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store("results")
    found = stored_records(begin(store), PROBED, store.load(PROBED))
    forget()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert found[FOG] == record(FOG, wrong=7)


def measured_again(folder: Path) -> None:
    """The fog has as many errors as before, and another speed."""
    made = record(FOG, wrong=7)
    faster = made.provenance.model_copy(update={"images_per_second": 21.0})
    (folder / PACKED).write_bytes(
        packed_run(RUN_FILE, records() | {FOG: made.model_copy(update={"provenance": faster})})
    )


def without_fog(folder: Path) -> None:
    (folder / PACKED).write_bytes(packed_run(RUN_FILE, {CELLS[0]: records()[CELLS[0]]}))


def other_outcome(folder: Path) -> None:
    (folder / PACKED).write_bytes(packed_run(RUN_FILE, records() | {FOG: record(FOG, wrong=9)}))


def damaged(folder: Path) -> None:
    (folder / PACKED).write_bytes(b"no parquet")


@pytest.mark.parametrize("change", [shutil.rmtree, measured_again, without_fog, other_outcome, damaged])
def test_a_folder_that_has_changed_is_one_line(found, change):
    forget()
    change(found.folder)
    for asked in (lambda: found[FOG], found.wrong, lambda: pickle.dumps(found)):
        with pytest.raises(DataError, match=GONE) as refused:
            asked()
        assert str(refused.value).startswith(f"{found.folder}: ") and "\n" not in str(refused.value)
    assert found.numbers[FOG].top1_error == record(wrong=7).top1_error


def test_two_measurements_of_one_run_are_told_apart(store, found):
    """The newer one is read where it is, and is not taken for the older one."""
    other_outcome(found.folder)
    newer = stored_records(found.folder, PROBED, Store(store.results_dir).load(PROBED))
    assert newer[FOG] == record(FOG, wrong=9)
    with pytest.raises(DataError, match=GONE):
        found[FOG]
    assert newer[FOG] == record(FOG, wrong=9) and found[CELLS[0]] == newer[CELLS[0]]


def test_a_cell_that_is_added_changes_nothing(store, found):
    forget()
    store.write_run_file(RUN_FILE)
    store.write(record(Cell("snow", 1)))
    assert found == records() and list(found.wrong()) == list(CELLS)
    store.pack(PROBED)
    forget()
    assert list(found.wrong()) == list(CELLS) and found == records()
