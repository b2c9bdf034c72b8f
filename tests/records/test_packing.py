"""Packing a run loses nothing: where it ends too early, where others measure, read or pack at the same time."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import DataError
from lst_robust.records import folder as folder_module
from lst_robust.records import store as module
from lst_robust.records.cell_file import to_json
from lst_robust.records.packed import packed_run, read_packed_run
from lst_robust.records.packed_files import ASIDE, PACKED
from lst_robust.records.record import Record
from lst_robust.records.store import Store
from tests.fixtures.records import CELLS, FOG, PROBED, RUN_FILE, begin, files, record, records

NEW = Cell("snow", 2)


class Stopped(BaseException):
    """Not an Exception: as Ctrl-C, nobody catches it by mistake."""


@pytest.fixture
def folder(store) -> Path:
    return begin(store)


def test_a_packed_file_that_is_moved_aside_while_it_is_read_is_found_by_its_new_name(store, folder, monkeypatch):
    store.pack(PROBED)
    assert names(folder) == [PACKED]
    read = folder_module.read_run_file

    def read_too_late(path: Path):
        monkeypatch.setattr(folder_module, "read_run_file", read)
        path.rename(folder / ASIDE.replace("*", "1"))  # as another process that packs without locks
        return read(path)

    monkeypatch.setattr(folder_module, "read_run_file", read_too_late)
    assert folder_module.run_file_of(folder) == RUN_FILE


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def all_are_there(store: Store, expected: dict[Cell, Record]) -> bool:
    """Whether a reader that knows nothing yet finds all cells, in each of the three ways."""
    fresh = Store(store.results_dir)
    ((run, found),) = fresh.scan(None, predictions=True)
    return (
        (run, found) == (PROBED, expected)
        and fresh.load(PROBED) == expected
        and all(fresh.find(PROBED, cell) == one for cell, one in expected.items())
    )


def test_a_packed_run_is_one_file_of_the_same_records(store, folder):
    store.pack(PROBED)
    assert files(folder) == {PACKED: packed_run(RUN_FILE, records())}
    assert next(iter(read_packed_run(folder / PACKED).records)) == CLEAN_CELL
    assert all_are_there(store, records())
    before = (folder / PACKED).stat()
    store.pack(PROBED)
    assert (folder / PACKED).stat().st_mtime_ns == before.st_mtime_ns, "there is nothing to do"


def test_packing_adds_to_what_is_packed(store, folder):
    store.pack(PROBED)
    store.write(record(NEW))
    store.write(record(FOG, wrong=11))
    store.pack(PROBED)
    assert names(folder) == [PACKED]
    assert all_are_there(store, records() | {NEW: record(NEW), FOG: record(FOG, wrong=11)})


def test_in_a_folder_that_is_not_there_there_is_nothing_to_pack(store):
    store.pack(PROBED)
    assert not store.results_dir.exists()


def test_files_that_cannot_be_trusted_and_files_of_others_stay(store, folder, caplog):
    """A damaged one is measured again, one of another cell may be somebody's last copy."""
    caplog.set_level(logging.DEBUG, logger="lst_robust")  # who evaluates has named them before
    store.pack(PROBED)
    begin(store)
    kept = {"fog-3.json": b"damaged", "fog-4.json": to_json(record()), "notes.json": b"{}", "notes.txt": b"mine"}
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    store.pack(PROBED)
    assert {name: content for name, content in files(folder).items() if name != PACKED} == kept
    assert [line.partition(": ")[0] for line in caplog.messages if "lock" not in line.lower()] == [
        str(folder / name) for name in kept if name.endswith(".json")
    ]
    assert Store(store.results_dir).load(PROBED) == records()


def test_a_run_of_nothing_but_damaged_cells_is_not_packed(store, folder):
    for cell in CELLS:
        (folder / f"{cell.name}.json").write_text("damaged")
    before = files(folder)
    store.pack(PROBED)
    assert files(folder) == before


def steps_of_packing(monkeypatch, before: Callable[[int, str], None]) -> None:
    """before(number, name) is called before each file gets another name, a further one, or is removed."""
    count = iter(range(1, 10**9))
    for holder, name in ((os, "rename"), (os, "link"), (Path, "unlink")):
        whole = getattr(holder, name)

        def step(first, *arguments, _whole=whole, _name=name, **options):
            if not Path(first).name.endswith(".lock"):
                before(next(count), _name)
            return _whole(first, *arguments, **options)

        monkeypatch.setattr(holder, name, step)


FIRST = ["link", *["unlink"] * 5]  # run.parquet to its place; its other name, three cells and run.json away
AGAIN = [
    "rename",
    "link",
    *["unlink"] * 7,
]  # the earlier run.parquet aside; it goes away, too, and there is one cell more


def pack_and_begin_again(store: Store) -> None:
    store.pack(PROBED)
    store.write(record(NEW))
    begin(store)


@pytest.mark.parametrize(("packed_before", "steps"), [(False, FIRST), (True, AGAIN)])
def test_the_steps_of_packing(store, folder, monkeypatch, packed_before, steps):
    if packed_before:
        pack_and_begin_again(store)
    seen: list[str] = []
    steps_of_packing(monkeypatch, lambda _, name: seen.append(name))
    store.pack(PROBED)
    assert seen == steps


@pytest.mark.parametrize(
    ("packed_before", "stop_at"),
    [*((False, at) for at in range(1, len(FIRST) + 1)), *((True, at) for at in range(1, len(AGAIN) + 1))],
)
@pytest.mark.parametrize("how", ["killed", "Ctrl-C", "disk"])
def test_packing_that_ends_at_any_step_loses_nothing(store, folder, monkeypatch, stop_at, how, packed_before):
    expected = records()
    if packed_before:
        pack_and_begin_again(store)
        expected[NEW] = record(NEW)

    def before(number: int, _: str) -> None:
        if number == stop_at and how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if number == stop_at:
            raise Stopped if how == "Ctrl-C" else OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        if how == "killed":
            pid = os.fork()
            if pid == 0:
                steps_of_packing(patched, before)
                store.pack(PROBED)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        else:
            steps_of_packing(patched, before)
            try:
                store.pack(PROBED)
            except (Stopped, DataError) as stopped:
                assert isinstance(stopped, Stopped) == (how == "Ctrl-C")
    assert all_are_there(store, expected)
    store.pack(PROBED)
    assert [name for name in names(folder) if not name.startswith(".tmp-")] == [PACKED]
    assert all_are_there(store, expected)


def test_a_disk_that_is_full_leaves_all_as_it_was(store, folder, monkeypatch):
    before = files(folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"run\.parquet: cannot be written \(No space left on device\)"):
        store.pack(PROBED)
    assert files(folder) == before


def test_a_packed_run_that_only_cannot_be_read_now_is_not_replaced(store, folder, monkeypatch):
    store.pack(PROBED)
    begin(store)
    before, whole = files(folder), Path.read_bytes

    def refusing(path: Path) -> bytes:
        if path.name == PACKED:
            raise OSError(5, "Input/output error")
        return whole(path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", refusing)
        with pytest.raises(DataError, match=r"run\.parquet: cannot be read \(Input/output error\)"):
            Store(store.results_dir).pack(PROBED)
    assert files(folder) == before


def at_the_write(monkeypatch, action: Callable[[], object]) -> None:
    """Calls `action` when a packing has read all cells and is about to write `run.parquet`."""
    whole = module.put_packed

    def writing(*arguments: object) -> bool:
        action()
        return whole(*arguments)

    monkeypatch.setattr(module, "put_packed", writing)


def test_a_cell_that_is_measured_again_while_it_is_packed_keeps_its_newer_file(store, folder, monkeypatch):
    newer = record(wrong=11)
    with monkeypatch.context() as patched:
        at_the_write(patched, lambda: Store(store.results_dir).write(newer))
        store.pack(PROBED)
    assert names(folder) == ["fog-3.json", PACKED]
    assert all_are_there(store, records() | {FOG: newer})
    store.pack(PROBED)
    assert names(folder) == [PACKED]
    assert all_are_there(store, records() | {FOG: newer})


def test_a_cell_that_is_claimed_while_it_is_packed_keeps_its_file(store, folder):
    with store.claim(PROBED, FOG, wait=False) as claimed:
        assert claimed
        store.pack(PROBED)
        assert (folder / "fog-3.json").exists() and not (folder / "clean.json").exists()
        newer = record(wrong=11)
        store.write(newer)
    assert all_are_there(store, records() | {FOG: newer})


def test_a_cell_that_is_finished_while_others_are_packed_keeps_its_file(store, folder, monkeypatch):
    with monkeypatch.context() as patched:
        at_the_write(patched, lambda: Store(store.results_dir).write(record(NEW)))
        store.pack(PROBED)
    assert names(folder) == [PACKED, f"{NEW.name}.json"]
    assert all_are_there(store, records() | {NEW: record(NEW)})


@pytest.mark.parametrize("moment", ["between the cells", "after the cells"])
def test_a_reader_that_is_overtaken_by_a_packing_misses_no_cell(store, folder, monkeypatch, caplog, moment):
    reader, read_cell = Store(store.results_dir), module.read_cell
    packing_at = 2 if moment == "between the cells" else 3
    for read in (reader.load, lambda run: dict(next(iter(reader.scan(None, predictions=True)))[1])):
        begin(store)
        count = iter(range(1, 10**9))

        def overtaken(path, run, count=count):
            number = next(count)
            if number == packing_at and moment == "between the cells":
                store.pack(PROBED)
            found = read_cell(path, run)
            if number == packing_at and moment == "after the cells":
                store.pack(PROBED)
            return found

        with monkeypatch.context() as patched:
            for reading in (module, folder_module):
                patched.setattr(reading, "read_cell", overtaken)
            assert read(PROBED) == records()
        assert names(folder) == [PACKED]
    assert not caplog.messages


def test_one_cell_is_found_although_it_is_packed_at_that_moment(store, folder, monkeypatch):
    reader, read_cell = Store(store.results_dir), module.read_cell
    packing = iter([True])

    def overtaken(path, run):
        if next(packing, False):
            store.pack(PROBED)
        return read_cell(path, run)

    monkeypatch.setattr(module, "read_cell", overtaken)
    assert reader.find(PROBED, FOG) == record()


def test_readers_miss_no_cell_while_it_is_written_and_packed_again_and_again(store, folder):
    """Writer and reader in two threads, without any order between them."""
    done = threading.Event()
    seen: list[set[Cell]] = []

    def read() -> None:
        reader = Store(store.results_dir)
        while not done.is_set():
            seen.append(set(reader.load(PROBED)))
            seen.append(set(next(iter(reader.scan(None)))[1]))
            seen.append({cell for cell in CELLS if reader.find(PROBED, cell) is not None})

    thread = threading.Thread(target=read)
    thread.start()
    deadline = time.monotonic() + 2
    try:
        while time.monotonic() < deadline:
            store.pack(PROBED)
            begin(store)
    finally:
        done.set()
        thread.join()
    assert len(seen) > 9 and all(cells == set(CELLS) for cells in seen)


def test_two_processes_that_pack_and_measure_at_the_same_time_lose_nothing(store, folder):
    corruptions = ("snow", "frost")

    def work(corruption: str) -> None:
        own = Store(store.results_dir)
        for severity in range(1, 6):
            own.write(record(Cell(corruption, severity)))
            own.pack(PROBED)

    pids = []
    for corruption in corruptions:
        pid = os.fork()
        if pid == 0:
            try:
                work(corruption)
                os._exit(0)
            finally:
                os._exit(99)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0]
    store.pack(PROBED)
    assert names(folder) == [PACKED]
    cells = [Cell(corruption, severity) for corruption in corruptions for severity in range(1, 6)]
    assert all_are_there(store, records() | {cell: record(cell) for cell in cells})
