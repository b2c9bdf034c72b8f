"""File systems whose locks fail or only pretend: several processes on one run lose nothing and mix nothing."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import random
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

import lst_robust
from lst_robust.benchmark import Cell
from lst_robust.errors import DataError
from lst_robust.records import folder, packed_files
from lst_robust.records.packed_files import ASIDE, PACKED, packed_paths
from lst_robust.records.record import Record
from lst_robust.records.store import Store
from lst_robust.runtime import file_lock
from tests.fixtures.processes import ended, process
from tests.fixtures.records import PROBED, RUN_FILE, files, record

NAMES = ("fog", "snow", "frost", "contrast")


def refuses(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


FLOCKS: dict[str, Callable[..., object]] = {
    "works": fcntl.flock,
    "refuses": refuses,
    "pretends": lambda *_: None,
}


@pytest.fixture(params=FLOCKS)
def flock(request, monkeypatch) -> str:
    monkeypatch.setattr("fcntl.flock", FLOCKS[request.param])
    monkeypatch.setattr(file_lock, "_said", set())
    monkeypatch.setattr(file_lock, "POLL", 0.01)
    return request.param


def all_end(works: list[Callable[[], int]]) -> None:
    pids = [process(work, Path(f"log{number}")) for number, work in enumerate(works)]
    assert [ended(pid) for pid in pids] == [0] * len(works), [log.read_text() for log in Path().glob("log*")]


def test_nothing_is_lost_where_all_write_and_pack_at_the_same_time(flock, tmp_path, monkeypatch):
    """Each process writes its own cells and one that all write, in an order of its own, and packs after each."""
    monkeypatch.chdir(tmp_path)
    Store("results").write_run_file(RUN_FILE)
    shared = Cell("pixelate", 5)

    def work(name: str) -> Callable[[], int]:
        def write_and_pack() -> int:
            store, chance = Store("results"), random.Random(name)
            for severity in (1, 2, 3, 4, 5):
                for cell in (Cell(name, severity), shared):
                    store.write(record(cell))
                    time.sleep(chance.random() / 500)
                    store.pack(PROBED)
                    assert store.find(PROBED, cell) is not None, "its own cells are there all the time"
            return 0

        return write_and_pack

    all_end([work(name) for name in NAMES])
    store = Store("results")
    cells = [shared, *(Cell(name, severity) for name in NAMES for severity in (1, 2, 3, 4, 5))]
    assert store.load(PROBED) == {cell: record(cell) for cell in cells}
    store.pack(PROBED)
    assert list(files(store.run_folder(PROBED))) == [PACKED]
    assert store.load(PROBED) == {cell: record(cell) for cell in cells}


def without_provenance(records: dict[Cell, Record]) -> dict[Cell, dict]:
    return {cell: one.model_dump(exclude={"provenance"}) for cell, one in records.items()}


def test_processes_that_measure_the_same_run_get_what_one_gets(flock, suite, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LST_ROBUST_CORRUPTION_KERNELS", "plain")
    asked = {"corruptions": ["contrast", "brightness"], "severities": [1, 3, 5], "workers": 1}
    with monkeypatch.context() as patched:
        patched.setattr("fcntl.flock", FLOCKS["works"])
        alone = lst_robust.evaluate(model, suite, results_dir="one", **asked)

    def work() -> int:
        return 0 if len(lst_robust.evaluate(model, suite, results_dir="shared", **asked).records) == 7 else 1

    all_end([work] * 3)
    store = Store("shared")
    assert [run for run, _ in store.scan(None)] == [alone.run], "one run, and no other"
    assert without_provenance(store.load(alone.run)) == without_provenance(alone.records)
    again = lst_robust.evaluate(model, suite, results_dir="shared", **asked)
    assert again.measured == 0 and list(files(store.run_folder(alone.run))) == [PACKED]


def test_a_packed_file_that_another_process_has_put_there_is_never_written_over(tmp_path, monkeypatch):
    """The slow one has read before the quick one has packed and removed a cell, and writes after it."""
    quick, slow = Store(tmp_path), Store(tmp_path)
    quick.write_run_file(RUN_FILE)
    first, second = Cell("fog", 1), Cell("fog", 2)
    slow.write(record(first))
    put, calls = lst_robust.records.store.put_packed, iter([True])

    def overtaken(*arguments: object) -> bool:
        if next(calls, False):
            quick.write(record(second))
            quick.pack(PROBED)
        return put(*arguments)

    monkeypatch.setattr("lst_robust.records.store.packing", lambda folder: nullcontext())
    monkeypatch.setattr("lst_robust.records.store.put_packed", overtaken)
    slow.pack(PROBED)
    assert Store(tmp_path).load(PROBED) == {first: record(first), second: record(second)}


def test_a_file_that_goes_and_comes_back_while_it_is_read_is_no_mistake(tmp_path, monkeypatch):
    """Another process has moved `run.parquet` aside, and then put a new one there."""
    store = Store(tmp_path)
    store.write_run_file(RUN_FILE)
    store.write(record(Cell("fog", 1)))
    store.pack(PROBED)

    def missed_once(read: Callable[..., object]) -> Callable[..., object]:
        calls = iter([True])
        return lambda path, **options: read(path.with_name("moved") if next(calls, False) else path, **options)

    monkeypatch.setattr(folder, "read_run_file", missed_once(folder.read_run_file))
    assert folder.run_file_of(store.run_folder(PROBED)) == RUN_FILE
    monkeypatch.setattr(packed_files, "read_packed_run", missed_once(packed_files.read_packed_run))
    assert Store(tmp_path).load(PROBED) == {Cell("fog", 1): record(Cell("fog", 1))}


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ESTALE])
def test_a_run_file_that_comes_while_its_folder_is_read_is_found(number, tmp_path, monkeypatch):
    store, calls = Store(tmp_path), iter([True])
    store.write_run_file(RUN_FILE)
    look = folder.require_file

    def too_early(path: Path) -> None:
        if next(calls, False):
            raise OSError(number, os.strerror(number))
        look(path)

    monkeypatch.setattr(folder, "require_file", too_early)
    assert folder.run_file_of(store.run_folder(PROBED)) == RUN_FILE


def test_a_run_that_is_packed_while_its_folder_is_read_is_found(tmp_path, monkeypatch):
    """`run.parquet` was not there yet, and `run.json` is there no more."""
    store = Store(tmp_path)
    store.write_run_file(RUN_FILE)
    store.write(record(Cell("fog", 1)))
    look, calls = folder.packed_paths, iter([True])

    def too_early(path: Path) -> list[Path]:
        found = look(path)
        if next(calls, False):
            store.pack(PROBED)
        return found

    monkeypatch.setattr(folder, "packed_paths", too_early)
    assert folder.run_file_of(store.run_folder(PROBED)) == RUN_FILE


@pytest.mark.parametrize("moved_by", ["os.path.lexists", "pathlib.Path.glob"])
def test_a_packed_file_is_seen_although_it_is_moved_between_two_looks(moved_by, tmp_path, monkeypatch):
    packed, aside = tmp_path / PACKED, tmp_path / ASIDE.replace("*", "0")
    here, there = (packed, aside) if moved_by == "os.path.lexists" else (aside, packed)
    here.touch()
    look, calls = {"os.path.lexists": os.path.lexists, "pathlib.Path.glob": Path.glob}[moved_by], iter([True])

    def after_the_move(*arguments: object) -> object:
        if next(calls, False):
            here.rename(there)
        return look(*arguments)

    monkeypatch.setattr(moved_by, after_the_move)
    assert packed_paths(tmp_path) == [there]


def test_a_folder_that_never_stays_the_same_is_refused(tmp_path, monkeypatch):
    """What the listing names is not there, as where a file server's listing is old."""
    store = Store(tmp_path)
    store.write_run_file(RUN_FILE)
    store.write(record(Cell("fog", 1)))
    store.pack(PROBED)
    monkeypatch.setattr(packed_files, "PAUSE", 0)
    monkeypatch.setattr(packed_files, "packed_paths", lambda folder: [folder / "gone.parquet"])
    with pytest.raises(DataError, match="others replace it again and again; try again"):
        store.load(PROBED)


def test_a_file_moved_aside_that_another_process_takes_in_is_no_fault(tmp_path, monkeypatch):
    """Between the slow one's moving and its looking, the quick one has packed all and removed what lay aside."""
    quick, slow = Store(tmp_path), Store(tmp_path)
    quick.write_run_file(RUN_FILE)
    cells = [Cell("fog", severity) for severity in (1, 2, 3)]
    quick.write(record(cells[0]))
    quick.pack(PROBED)
    slow.write(record(cells[1]))
    rename, calls = os.rename, iter([True])

    def overtaken(source: Path, target: Path) -> None:
        rename(source, target)
        if Path(source).name == PACKED and next(calls, False):
            quick.write(record(cells[2]))
            quick.pack(PROBED)

    monkeypatch.setattr("lst_robust.records.store.packing", lambda folder: nullcontext())
    monkeypatch.setattr(os, "rename", overtaken)
    slow.pack(PROBED)
    assert Store(tmp_path).load(PROBED) == {cell: record(cell) for cell in cells}


def test_what_a_killed_packing_has_left_aside_is_read_and_taken_in(tmp_path):
    store = Store(tmp_path)
    store.write_run_file(RUN_FILE)
    first, second = Cell("fog", 1), Cell("fog", 2)
    store.write(record(first))
    store.pack(PROBED)
    folder = store.run_folder(PROBED)
    (folder / PACKED).rename(folder / ASIDE.replace("*", "0"))
    assert Store(tmp_path).load(PROBED) == {first: record(first)}
    store.write(record(second))
    store.pack(PROBED)
    assert [path.name for path in folder.iterdir()] == [PACKED]
    assert Store(tmp_path).load(PROBED) == {first: record(first), second: record(second)}


def test_cells_are_packed_where_there_are_no_hard_links(tmp_path, monkeypatch):
    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    store, cells = Store(tmp_path), [Cell("fog", severity) for severity in (1, 2)]
    store.write_run_file(RUN_FILE)
    for cell in cells:
        store.write(record(cell))
        store.pack(PROBED)
    assert [path.name for path in store.run_folder(PROBED).iterdir()] == [PACKED]
    assert Store(tmp_path).load(PROBED) == {cell: record(cell) for cell in cells}


def test_one_line_says_that_there_are_no_locks(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("fcntl.flock", refuses)
    monkeypatch.setattr(file_lock, "_said", set())
    caplog.set_level(logging.INFO, "lst_robust")
    for _ in range(3):
        with file_lock.file_lock(tmp_path / "lock", wait=True):
            pass
    assert caplog.messages == [
        f"the file system of {tmp_path} has no locks (No locks available): processes take turns by files, and may do "
        "some work twice"
    ]
    assert not list(tmp_path.iterdir())
