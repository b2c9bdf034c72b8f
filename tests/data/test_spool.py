"""Encoded images in a temporary file."""

from __future__ import annotations

import errno
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import pytest

from lst_robust.data import spool
from lst_robust.data.spool import Spool


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_kept_is_read_again_and_nothing_stays_behind(folder):
    kept = Spool(3, 10)
    kept.keep(2, b"two")
    kept.keep(0, b"")
    kept.keep(2, b"another")
    assert (kept.read(2), kept.read(0), kept.read(1)) == (b"two", b"", None)
    assert list(folder.iterdir()) == []


def test_threads_read_while_one_writes():
    kept = Spool(500, 10)
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(lambda n=n: [kept.read(n) for _ in range(50)]) for n in range(500)]
        for number in range(500):
            kept.keep(number, str(number).encode() * 20)
        for number, future in enumerate(found):
            assert set(future.result()) <= {None, str(number).encode() * 20}


def test_without_room_nothing_is_kept_and_a_line_says_why(folder, monkeypatch, caplog):
    monkeypatch.setattr(spool.shutil, "disk_usage", lambda path: namedtuple("Usage", "free")(2**30))
    assert not Spool(3, 10).has_room
    (line,) = caplog.messages
    assert f"{folder} has no room for 0.0 GB" in line and "LST_ROBUST_CACHE_DIR" in line


def test_a_disk_that_fills_up_only_costs_time(monkeypatch, caplog):
    kept = Spool(3, 10)
    kept.keep(0, b"zero")

    def full(descriptor, content, offset):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool.os, "pwrite", full)
    kept.keep(1, b"one")
    kept.keep(2, b"two")
    assert (kept.read(0), kept.read(1), kept.has_room) == (b"zero", None, False)
    (line,) = caplog.messages
    assert "has no room for" in line


def test_where_the_cache_cannot_be_written_it_lies_elsewhere(folder, monkeypatch, tmp_path):
    folder.write_text("a file")
    monkeypatch.setattr(spool.tempfile, "gettempdir", lambda: str(tmp_path))
    kept = Spool(1, 10)
    kept.keep(0, b"zero")
    assert kept.read(0) == b"zero"
