"""A pipe or a link that leads nowhere in the place of a record: nobody waits for it, and everybody names it."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lst_robust.analysis.networks import collect_summaries
from lst_robust.benchmark import Cell
from lst_robust.errors import DataError, NothingToEvaluateError
from lst_robust.records.folder import RUN_FILE, read_record, run_file_of
from lst_robust.records.merging import merge_results
from lst_robust.records.packed import read_packed_run, read_run_file
from lst_robust.records.packed_files import PACKED
from lst_robust.records.packed_numbers import read_packed_numbers
from lst_robust.records.store import Store
from tests.fixtures.records import CELLS, FOG, PROBED, begin, record

PIPE, LINK = "it is a pipe, a socket or a device, and no file", "it is a link that leads nowhere"


def link(path: Path) -> None:
    path.symlink_to(path.parent / "gone")


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        os.chdir(path.parent)  # an address has 108 characters at most
        one.bind(path.name)


KINDS = pytest.mark.parametrize(("make", "said"), [(os.mkfifo, PIPE), (listening, PIPE), (link, LINK)])
Make = Callable[[Path], None]


@pytest.fixture(autouse=True)
def in_time(tmp_path, monkeypatch) -> Iterator[None]:
    """A pipe that is opened is waited for, and so is ended by an alarm; the cache is the test's own."""
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@KINDS
def test_merge_names_a_run_of_nothing_else(store, make: Make, said, tmp_path, caplog):
    begin(store)
    folder = begin(Store(tmp_path / "other"))
    for path in folder.iterdir():
        path.unlink()
    make(folder / PACKED)
    merged = merge_results([tmp_path / "other", store.results_dir], tmp_path / "into")
    assert merged.left == {folder: f"{folder / PACKED}: cannot be read ({said})"} and not merged.complete
    assert caplog.messages == [f"{folder / PACKED}: cannot be read ({said}); it is left as it is"]
    assert set(Store(tmp_path / "into").load(PROBED)) == set(CELLS)


@KINDS
@pytest.mark.parametrize("name", [PACKED, "fog-3.json"])
def test_merge_takes_what_lies_beside_it(store, make: Make, said, name, tmp_path):
    folder = begin(store)
    (folder / "fog-3.json").unlink()
    make(folder / name)
    merged = merge_results([store.results_dir], tmp_path / "into")
    assert merged.left == {folder / name: f"{folder / name}: cannot be read ({said})"}
    assert set(Store(tmp_path / "into").load(PROBED)) == set(CELLS) - {FOG}


@KINDS
def test_merge_writes_nothing_where_it_lies_in_the_target(store, make: Make, said, tmp_path):
    begin(store)
    folder = begin(Store(tmp_path / "into"))
    (folder / "fog-3.json").unlink()
    make(folder / PACKED)
    merged = merge_results([store.results_dir], tmp_path / "into")
    assert list(merged.left) == [folder / PACKED] and not merged.written
    assert not (folder / PACKED).is_file() and os.path.lexists(folder / PACKED)


@KINDS
def test_merge_names_a_checkpoint(store, make: Make, said, tmp_path):
    begin(store)
    file = store.results_dir / "digits-c" / "checkpoints" / "lst18.safetensors"
    file.parent.mkdir()
    make(file)
    merged = merge_results([store.results_dir], tmp_path / "into")
    assert merged.left == {file: f"{file}: cannot be read ({said})"} and merged.cells == len(CELLS)


@KINDS
def test_a_table_and_an_evaluation_name_it_and_go_on(store, make: Make, said, caplog):
    folder = begin(store)
    make(folder / PACKED)
    assert set(store.load(PROBED)) == set(CELLS)
    assert caplog.messages == [
        f"{folder / PACKED}: cannot be read ({said}); it is not used and its cells are measured again"
    ]
    assert store.find(PROBED, FOG) == record(FOG, wrong=7) and store.find(PROBED, Cell("snow", 1)) is None
    with pytest.raises(DataError, match=said):
        store.pack(PROBED)
    assert set(store.load(PROBED, quiet=True)) == set(CELLS), "their own files are there"
    caplog.clear()
    [(run, records)] = Store(store.results_dir).scan(None)
    assert run == PROBED and set(records) == set(CELLS) and said in caplog.text


@KINDS
def test_a_table_of_nothing_else_names_it(store, make: Make, said, caplog):
    caplog.set_level(logging.WARNING)
    folder = store.run_folder(PROBED)
    folder.mkdir(parents=True)
    make(folder / PACKED)
    with pytest.raises(NothingToEvaluateError):
        collect_summaries(store.results_dir, None, "none")
    assert f"{folder / PACKED}: cannot be read ({said}); its cells are left out" in caplog.messages


@KINDS
def test_each_reader_refuses_it(tmp_path, make: Make, said):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in (PACKED, RUN_FILE, "fog-3.json"):
        make(folder / name)
    assert read_packed_numbers(folder / PACKED) is None
    for read in (
        lambda: read_packed_run(folder / PACKED),
        lambda: read_run_file(folder / PACKED),
        lambda: run_file_of(folder),
        lambda: read_record(folder / "fog-3.json"),
    ):
        with pytest.raises(DataError) as refused:
            read()
        assert said in str(refused.value) and "\n" not in str(refused.value)


def test_a_link_to_a_file_is_followed(store, tmp_path):
    folder = begin(store)
    store.pack(PROBED)
    (folder / PACKED).rename(tmp_path / "elsewhere.parquet")
    (folder / PACKED).symlink_to(tmp_path / "elsewhere.parquet")
    assert set(Store(store.results_dir).load(PROBED)) == set(CELLS)
    assert not merge_results([store.results_dir], tmp_path / "into").left
