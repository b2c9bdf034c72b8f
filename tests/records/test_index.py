"""The index is only a copy: it says what the records say, and where it does not, nobody listens."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from lst_robust.analysis import collect, noted_ends, statistics
from lst_robust.analysis.networks import collect_summaries
from lst_robust.analysis.summary import summarise
from lst_robust.benchmark import Cell
from lst_robust.errors import DataError
from lst_robust.records import index as module
from lst_robust.records import stored
from lst_robust.records.index import ResultsIndex, folder_state
from lst_robust.records.indexed import scan_indexed
from lst_robust.records.numbers import CellNumbers
from lst_robust.records.packed import packed_run
from lst_robust.records.packed_files import PACKED
from lst_robust.records.store import Store
from lst_robust.suites.normaliser import Normaliser
from tests.fixtures.records import CELLS, FOG, PROBED, RUN_FILE, begin, record, records

DAY = 86_400


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(collect, "shipped_suite", lambda name: None)  # these records are of another version


@pytest.fixture
def folder(store) -> Path:
    """Of a packed run that was measured yesterday."""
    made = begin(store)
    store.pack(PROBED)
    return aged(made)


def aged(folder: Path) -> Path:
    for path in folder.iterdir():
        os.utime(path, (time.time() - DAY,) * 2)
    return folder


def summaries(store: Store, normaliser: object = "none"):
    return collect_summaries(store.results_dir, None, normaliser)


@pytest.fixture
def reads(monkeypatch) -> list[Path]:
    """The folders that are read, with records or without."""
    seen: list[Path] = []
    whole, numbers = stored.read_folder, stored.read_packed_numbers

    def reading(folder: Path, **options):
        seen.append(folder)
        return whole(folder, **options)

    def reading_numbers(path: Path):
        seen.append(path.parent)
        return numbers(path)

    monkeypatch.setattr(stored, "read_folder", reading)
    monkeypatch.setattr(stored, "read_packed_numbers", reading_numbers)
    return seen


def index_file(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "cache" / "tables").iterdir()
    return found


def test_a_second_call_gives_the_same_and_reads_nothing(store, folder, reads, monkeypatch):
    first = summaries(store)
    assert reads == [folder] and first[0].intervals is not None
    monkeypatch.setattr(statistics, "intervals", lambda *_, **__: pytest.fail("they are noted"))
    assert summaries(store) == first
    assert reads == [folder]


def test_what_the_index_says_is_what_the_records_say(store, folder):
    summaries(store)
    ((run, found),) = scan_indexed(store.results_dir, None, ResultsIndex(store.results_dir), predictions=True)
    assert run == PROBED and list(found) == list(CELLS)
    assert found.numbers == {cell: CellNumbers.of(one) for cell, one in records().items()}
    assert dict(found) == records() and found[FOG] == record(FOG, wrong=7)
    assert all(np.array_equal(bits, ~records()[cell].correct_bits()) for cell, bits in found.wrong().items())
    with pytest.raises(KeyError):
        found["snow", 1]
    summary = summaries(store)[0]
    assert summary == summarise(PROBED, records(), None)


def test_another_normaliser_has_other_intervals_and_both_are_kept(store, folder, reads, tmp_path):
    """A CE needs all five severities."""
    for severity in range(1, 6):
        store.write(record(Cell("fog", severity), wrong=10 + severity))
    store.pack(PROBED)
    aged(folder)

    def normaliser(error: float) -> Normaliser:
        return Normaliser(name="half", clean_error=10.0, errors={"fog": (error,) * 5}, made_with={})

    half = normaliser(50.0)
    first = summaries(store), summaries(store, half)
    assert first[0] != first[1] and len(reads) == 2
    assert (summaries(store), summaries(store, half)) == first and len(reads) == 2
    for error in range(1, module.MOST_ENDS + 4):
        summaries(store, normaliser(error))
    (fields,) = json.loads(index_file(tmp_path).read_bytes().partition(b"\n")[2]).values()
    assert len(fields["ends"]) == module.MOST_ENDS


def change_in_place(folder: Path) -> None:
    """As much content as before, and the same time of change."""
    path = folder / PACKED
    before = path.stat()
    content = packed_run(RUN_FILE, {cell: record(cell, wrong=9) for cell in CELLS})
    path.write_bytes(content[: before.st_size].ljust(before.st_size, b"\0"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(folder: Path) -> None:
    (folder / "new").write_bytes(packed_run(RUN_FILE, {FOG: record(FOG, wrong=9)}))
    os.replace(folder / "new", folder / PACKED)


def add_cell(folder: Path) -> None:
    store = Store(folder.parents[2])
    store.write(record(FOG, wrong=9))


@pytest.mark.parametrize("change", [replace, add_cell, change_in_place, lambda folder: (folder / PACKED).unlink()])
def test_files_that_have_changed_are_read_again(store, folder, change):
    summaries(store)
    change(folder)
    try:
        found = collect_summaries(store.results_dir, None, "none")[0].errors["fog"][2]
    except Exception as error:
        found = type(error).__name__
    shutil.rmtree(Path(os.environ["LST_ROBUST_CACHE_DIR"]))
    try:
        expected = collect_summaries(store.results_dir, None, "none")[0].errors["fog"][2]
    except Exception as error:
        expected = type(error).__name__
    assert found == expected and found in (45.0, "NothingToEvaluateError")


def test_what_has_just_changed_is_not_indexed(store, reads):
    """Its time of change may be the same after the next change."""
    folder = begin(store)
    summaries(store), summaries(store)
    assert len(reads) == 2
    aged(folder)
    summaries(store), summaries(store)
    assert len(reads) == 3


def test_a_run_with_a_damaged_file_is_named_by_every_call(store, folder, caplog):
    (folder / "fog-4.json").write_text("damaged")
    aged(folder)
    for _ in range(2):
        caplog.clear()
        summaries(store)
        assert [line.rpartition("; ")[2] for line in caplog.messages] == ["it is left out"]


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "foreign", "older", "nonsense", "deep"])
def test_a_damaged_index_is_as_none(store, folder, tmp_path, reads, damage):
    expected = summaries(store)
    path = index_file(tmp_path)
    content = path.read_bytes()
    head, _, body = content.partition(b"\n")

    def signed(changed: bytes, schema: int = module.SCHEMA) -> bytes:
        said = {"schema_version": schema, "sha256": hashlib.sha256(changed).hexdigest()}
        return json.dumps(said).encode() + b"\n" + changed

    fields = json.loads(body)
    for one in fields.values():
        one["cells"], one["ends"] = 3, {"x": []}
    path.write_bytes(
        {
            "empty": b"",
            "cut": content[:-20],
            "flipped": head + b"\n" + body.replace(b"35.0", b"34.0"),
            "foreign": b"\x80" * 50,
            "older": signed(body, module.SCHEMA - 1),
            "nonsense": signed(json.dumps(fields).encode()),
            "deep": signed(b"[" * 100_000),
        }[damage]
    )
    assert summaries(store) == expected and len(reads) == 2


@pytest.mark.parametrize("ends", [[], [[1.0]], [["1", "2"]] * 3, "text", [[1.0, 2.0, 3.0]] * 3])
def test_ends_that_cannot_be_are_computed_again(ends):
    assert noted_ends._usable(ends, 3) is None
    assert noted_ends._usable([[1.0, 2.0]] * 3, 3) == [(1.0, 2.0)] * 3


def test_a_cache_that_cannot_be_written_changes_nothing(store, folder, monkeypatch, tmp_path, caplog):
    expected = summaries(store)
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("no folder")
    caplog.set_level(logging.INFO, logger="lst_robust")
    assert summaries(store) == expected and not caplog.messages


def test_runs_that_are_gone_leave_the_index(store, folder, tmp_path):
    summaries(store)
    other = begin(Store(store.results_dir), RUN_FILE.model_copy(update={"model": with_name("lst20")}))
    aged(other)
    shutil.rmtree(folder)
    summaries(store)
    assert str(folder.relative_to(store.results_dir)) not in index_file(tmp_path).read_text()


def with_name(name: str):
    return PROBED.model.model_copy(update={"name": name})


def test_records_that_vanish_after_the_look_are_an_error_of_one_line(store, folder):
    summaries(store)
    ((_, found),) = scan_indexed(store.results_dir, None, ResultsIndex(store.results_dir))
    (folder / PACKED).unlink()
    assert folder_state(folder) == []
    with pytest.raises(DataError, match="has changed while it was read: give the same command again"):
        found[FOG]


def test_of_a_run_that_is_there_twice_only_one_is_read(store, folder, reads, caplog):
    whole = summaries(store)
    copy = shutil.copytree(folder.parent, folder.parent.with_name("a-backup")) / folder.name
    reads.clear()
    assert summaries(store) == whole and reads == []
    assert [message.partition(";")[0] for message in caplog.messages] == [f"{copy}: holds the same run as {folder}"]
