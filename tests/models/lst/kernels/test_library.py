"""How the operators are built, and what happens where they cannot be."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lst_robust.errors import UsageError
from lst_robust.models.lst.kernels import library

PROGRAM = """
import logging
logging.basicConfig(level=logging.INFO, format="%(message)s")
from lst_robust.models.lst.kernels.library import kernels_ready
print(kernels_ready(), flush=True)
"""
needs_compiler = pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    for name in ("LST_ROBUST_KERNELS", "LST_ROBUST_LST_KERNELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path / "cache"))


def started(**environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_plain_needs_no_compiler(monkeypatch, caplog, tmp_path):
    monkeypatch.setenv("LST_ROBUST_LST_KERNELS", "plain")
    monkeypatch.setattr(library, "_loaded", lambda: pytest.fail("it was built"))
    assert not library.kernels_ready()
    assert not caplog.records and not (tmp_path / "cache").exists()


def test_another_value_of_the_switch_is_refused(monkeypatch):
    monkeypatch.setenv("LST_ROBUST_LST_KERNELS", "turbo")
    with pytest.raises(UsageError, match="LST_ROBUST_LST_KERNELS is 'turbo'"):
        library.kernels_ready()


def no_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "no-such-compiler")


def empty_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "")


def unreadable_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", '"g++')


def failing_compiler(monkeypatch, tmp_path):
    program = tmp_path / "g++"
    program.write_text('#!/bin/sh\ncase "$*" in *version) echo 12.2.0;; *) echo "cannot compile" >&2; exit 1;; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("CXX", str(program))


def no_ninja(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ninja", None)


def no_folder(monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("")


@pytest.mark.parametrize(
    ("hindrance", "reason"),
    [
        (no_compiler, "no C++ compiler 'no-such-compiler'"),
        (empty_compiler, "no C++ compiler ''"),
        (unreadable_compiler, "no C++ compiler '\"g++'"),
        (failing_compiler, "Error building extension"),
        (no_ninja, "ninja"),
        (no_folder, "choose a writable folder"),
    ],
)
def test_what_hinders_it_is_one_warning(hindrance, reason, monkeypatch, tmp_path, caplog):
    hindrance(monkeypatch, tmp_path)
    assert library._loaded.__wrapped__() is False
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1 and "\n" not in warnings[0]
    assert reason in warnings[0] and "plain torch is used" in warnings[0]
    if hindrance is not no_folder:
        assert not [path for path in tmp_path.glob("cache/*") if path.suffix != ".lock"], "nothing is left behind"


def test_the_path_of_the_process_is_as_before():
    before = os.environ["PATH"]
    with library._ninja_on_path():
        assert os.environ["PATH"].endswith(before) and os.environ["PATH"] != before
    assert os.environ["PATH"] == before


@pytest.mark.slow
@needs_compiler
def test_processes_at_the_same_time_build_it_once_in_place_of_a_damaged_file(tmp_path):
    path = tmp_path / "cache" / f"lst-{library._identity(library.compiler_path())}.so"
    path.parent.mkdir()
    path.write_bytes(b"damaged")
    outputs = [process.communicate(timeout=300) for process in [started(), started()]]
    assert [stdout for stdout, _ in outputs] == ["True\n"] * 2, outputs
    assert "".join(stderr for _, stderr in outputs).count("compiling the LST kernels") == 1
    assert [file.name for file in path.parent.iterdir() if file.suffix != ".lock"] == [path.name]
    assert path.stat().st_size > 10_000
    assert started().communicate(timeout=60) == ("True\n", "")


@pytest.mark.slow
@needs_compiler
def test_a_builder_that_is_killed_keeps_nobody_waiting(tmp_path):
    first = started()
    assert "compiling" in first.stderr.readline()
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not list(Path(tmp_path / "cache").glob("*.so"))
    assert started().communicate(timeout=300)[0] == "True\n"
