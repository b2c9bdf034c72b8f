"""How the operators are built, and what happens where they cannot be."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
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
        (failing_compiler, "(cannot compile)"),
        (no_ninja, "ninja"),
        (no_folder, "choose a writable folder"),
    ],
)
def test_what_hinders_it_is_one_warning(hindrance, reason, monkeypatch, tmp_path, caplog):
    hindrance(monkeypatch, tmp_path)
    assert library._load_once.__wrapped__() is False
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1 and "\n" not in warnings[0]
    assert reason in warnings[0] and "plain torch is used" in warnings[0]
    if hindrance is not no_folder:
        assert not [path for path in tmp_path.glob("cache/*") if path.suffix != ".lock"], "nothing is left behind"


@pytest.fixture
def not_loaded(monkeypatch):
    """As in a process that has not asked yet."""
    monkeypatch.setattr(library, "_load_once", cache(library._load_once.__wrapped__))


def test_it_is_tried_once_and_said_once(not_loaded, monkeypatch, caplog):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert [library.kernels_ready() for _ in range(3)] == [False] * 3
    assert len(caplog.records) == 1


class WatchedLock:
    """A lock that says how many came to it."""

    def __init__(self) -> None:
        self.lock, self.came = threading.Lock(), threading.Semaphore(0)

    def __enter__(self) -> None:
        self.came.release()
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_threads_that_ask_at_the_same_time_wait_for_the_first(not_loaded, monkeypatch, caplog):
    lock, calls = WatchedLock(), []

    def load(folder: Path) -> None:
        calls.append(folder)
        for _ in range(2):
            assert lock.came.acquire(timeout=60), "the other one has come by now"
        raise OSError("nothing here")

    monkeypatch.setattr(library, "_first_use", lock)
    monkeypatch.setattr(library, "_load", load)
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(library.kernels_ready) for _ in range(2)]
    assert [answer.result() for answer in answers] == [False, False]
    assert len(calls) == len(caplog.records) == 1


def compiler_with(folder: Path, version: str, name: str = "g++") -> Path:
    """A program that says it is this version, and that it is compiling, in Latin-1."""
    program = folder / name
    program.write_bytes(
        f'#!/bin/sh\ncase "$*" in *version) echo "{version} $*";; *) printf "f\\374r\\n" >&2;; esac\n'.encode()
    )
    program.chmod(0o755)
    return program


def test_a_compiler_that_warns_in_another_encoding_is_one(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", str(compiler_with(tmp_path, "12")))
    assert len(library.compile_kernels(tmp_path)) == len(library.KERNELS) * len(library.WIDTHS)


def another_version(monkeypatch, tmp_path):
    compiler_with(tmp_path, "13")


def another_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", str(compiler_with(tmp_path, "12", "clang++")))


def another_argument(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", f"{tmp_path / 'g++'} -fsanitize=address")


def another_flag(monkeypatch, tmp_path):
    monkeypatch.setattr(library, "FLAGS", ("-O2",))


def another_flag_of_kernels(monkeypatch, tmp_path):
    monkeypatch.setattr(library, "KERNEL_FLAGS", ("-O2",))


def another_processor(monkeypatch, tmp_path):
    monkeypatch.setattr(library, "_processor", lambda: "another one")


def another_torch(monkeypatch, tmp_path):
    monkeypatch.setattr("torch.__version__", "2.0")


def another_source(monkeypatch, tmp_path):
    shutil.copytree(library.SOURCES, tmp_path / "csrc")
    (tmp_path / "csrc" / "lanes.h").write_text("")
    monkeypatch.setattr(library, "SOURCES", tmp_path / "csrc")


@pytest.mark.parametrize(
    "change",
    [
        another_version,
        another_compiler,
        another_argument,
        another_flag,
        another_flag_of_kernels,
        another_processor,
        another_torch,
        another_source,
    ],
)
def test_what_is_made_in_another_way_is_another_file(change, monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", str(compiler_with(tmp_path, "12")))
    before = library.library_file()
    assert library.library_file() == before
    change(monkeypatch, tmp_path)
    assert library.library_file() != before


def test_compilers_behind_one_program_are_different_ones(monkeypatch, tmp_path):
    launcher = compiler_with(tmp_path, "the compiler of", "ccache")
    files = []
    for compiler in ("g++-12", "g++-13"):
        monkeypatch.setenv("CXX", f"{launcher} {compiler}")
        assert library.compiler_version().startswith(f"the compiler of {compiler}")
        files.append(library.library_file())
    assert files[0] != files[1]


def test_what_nobody_needs_any_more_is_removed(tmp_path):
    folder = tmp_path / "cache"
    for name in ("lst-build-killed", "lst-build-running", "other"):
        (folder / name).mkdir(parents=True)
        (folder / name / "block-8.o").touch()
    for name in ("lst-old.so", "lst-used.so", "lst-old.lock", "mine.so"):
        (folder / name).touch()
    for name in ("lst-build-killed", "other", "lst-old.so", "lst-old.lock", "mine.so"):
        os.utime(folder / name, (0, 0))
    library._remove_remains(folder)
    left = {path.name for path in folder.iterdir()}
    assert left == {"lst-build-running", "other", "lst-used.so", "lst-old.lock", "mine.so"}


def test_the_path_of_the_process_is_as_before():
    before = os.environ["PATH"]
    with library._ninja_on_path():
        assert os.environ["PATH"].endswith(before) and os.environ["PATH"] != before
    assert os.environ["PATH"] == before


@pytest.mark.slow
@needs_compiler
def test_processes_at_the_same_time_build_it_once_in_place_of_a_damaged_file(tmp_path):
    path = library.library_file(tmp_path / "cache")
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
