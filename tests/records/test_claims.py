"""A cell is one process's at a time, on any file system; the results folder is tried before the work."""

from __future__ import annotations

import errno
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError
from lst_robust.records.store import Store
from tests.fixtures.records import FOG, RUN


def test_a_claimed_cell_is_nobody_elses_until_it_is_given_back(store):
    claim, other = store.claim(RUN, FOG, wait=False), store.claim(RUN, Cell("fog", 4), wait=False)
    with claim as first, store.claim(RUN, FOG, wait=False) as second, other as third:
        assert (first, second, third) == (True, False, True)
    with store.claim(RUN, FOG, wait=False) as again:
        assert again


def test_who_waits_gets_the_cell_when_the_other_gives_it_back(store):
    claim = store.claim(RUN, FOG, wait=False)
    begun = threading.Event()

    def waiting() -> bool:
        begun.set()
        with store.claim(RUN, FOG, wait=True) as claimed:
            return claimed

    with ThreadPoolExecutor(1) as pool:
        with claim as first:
            assert first
            waiter = pool.submit(waiting)
            begun.wait()
            assert not waited(waiter, seconds=0.2)
        assert waiter.result()


def waited(future: Future, seconds: float) -> bool:
    """Whether it has ended by then."""
    return bool(wait([future], timeout=seconds).done)


def test_a_results_folder_that_cannot_be_written_says_how_to_choose_another(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(DataError) as refused:
        Store(file).check_writable()
    assert str(refused.value) == (
        f"results folder {file} is not writable (File exists); choose another with --results-dir"
    )

    def read_only(*_: object, dir: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(dir))

    monkeypatch.setattr("tempfile.TemporaryFile", read_only)
    with pytest.raises(DataError, match=r"is not writable \(Read-only file system\)"):
        Store(tmp_path).check_writable()


def test_a_results_folder_is_made_with_those_above_it_and_left_empty(tmp_path, monkeypatch):
    folder, tried, make = tmp_path / "a" / "b", [], tempfile.TemporaryFile

    def noted(*, dir: Path) -> object:
        tried.append(dir)
        return make(dir=dir)

    monkeypatch.setattr("tempfile.TemporaryFile", noted)
    for _ in range(2):
        Store(str(folder)).check_writable()
        assert list(folder.iterdir()) == []
    assert tried == [folder, folder]


def test_cells_are_claimed_where_the_file_system_has_no_locks(store, monkeypatch):
    def missing(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", missing)
    claim, again = store.claim(RUN, FOG, wait=False), store.claim(RUN, FOG, wait=False)
    with claim as first, again as second:
        assert (first, second) == (True, False)
    with store.claim(RUN, FOG, wait=False) as third:
        assert third
    assert not list(store.run_folder(RUN).iterdir())
