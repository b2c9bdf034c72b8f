"""The folder of the cache on this system, and that it does not grow without end."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from lst_robust.runtime import cache
from lst_robust.runtime.cache import cache_root, mark_used, remove_unused

DAY = 86_400


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in ("LST_ROBUST_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    remove_unused.cache_clear()


def test_the_variable_wins(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path / "own"))
    assert cache_root() == tmp_path / "own"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="where Linux keeps caches")
def test_the_folder_of_the_system_is_the_default(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", "")
    assert cache_root() == tmp_path / ".cache" / "lst-robust"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "xdg" / "lst-robust"
    assert list(tmp_path.iterdir()) == [], "it is not made before something is kept"


def test_a_user_without_a_home_has_a_folder_too(monkeypatch):
    def homeless(*_: object, **__: object) -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(cache, "user_cache_path", homeless)
    assert cache_root().parts[-2:] == (".cache", "lst-robust")


def aged(path: Path, days: float) -> Path:
    path.write_text("digest")
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def test_what_nobody_used_for_long_is_removed(tmp_path):
    old, used, new = aged(tmp_path / "old", 91), aged(tmp_path / "used", 91), aged(tmp_path / "new", 89)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(old)
    os.utime(tmp_path / "folder", (0, 0))
    mark_used(used)
    remove_unused(tmp_path)
    assert not old.exists() and used.exists() and new.exists()
    assert (tmp_path / "folder").is_dir() and (tmp_path / "link").is_symlink()


def test_a_process_looks_once(tmp_path):
    remove_unused(tmp_path)
    old = aged(tmp_path / "old", 1000)
    remove_unused(tmp_path)
    assert old.exists()


def test_a_file_that_another_process_has_deleted_is_no_error(tmp_path, monkeypatch):
    old = [aged(tmp_path / name, 100) for name in ("a", "b")]
    unlink = os.unlink

    def too_late(path: str) -> None:
        unlink(path)
        raise FileNotFoundError(path)

    monkeypatch.setattr(cache.os, "unlink", too_late)
    remove_unused(tmp_path)
    assert not any(path.exists() for path in old)


def test_a_folder_that_is_not_there_is_no_error(tmp_path):
    remove_unused(tmp_path / "nowhere")
    mark_used(tmp_path / "nowhere" / "file")
