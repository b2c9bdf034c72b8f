"""Compilers and kernels."""

from __future__ import annotations

import shutil

import pytest

from lst_robust.corruptions.kernels.compiling import cache_folder
from lst_robust.diagnosis import kernels
from lst_robust.models.lst.kernels.library import library_file

needs_compiler = pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path))


@needs_compiler
def test_the_compiler_is_named_with_its_version():
    (finding,) = kernels.compiler()
    assert finding.state == "ok" and finding.text.startswith("/") and ": " in finding.text


@pytest.mark.parametrize("name", ["no-such-compiler", "false"])
def test_without_a_compiler_there_is_a_note(monkeypatch, name):
    monkeypatch.setenv("CXX", name)
    (finding,) = kernels.compiler()
    assert finding.state == "note" and "plain torch" in finding.text and "CXX" in finding.mend
    (finding,) = kernels.lst_kernels()
    assert finding.state == "note" and "not available" in finding.text


def test_a_compiler_that_speaks_another_encoding_is_one(monkeypatch, tmp_path):
    """As g++ does in German with ISO 8859-1."""
    compiler = tmp_path / "c++"
    compiler.write_bytes(b"#!/bin/sh\nprintf 'f\\374r 1.0\\n'\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    assert [finding.state for finding in kernels.compiler()] == ["ok"]
    assert library_file().name.startswith("lst-")


def test_ninja():
    assert next(kernels.ninja()).state == "ok"


@needs_compiler
def test_kernels_are_there_or_built_at_first_use():
    (finding,) = kernels.lst_kernels()
    assert finding.state == "ok" and finding.text.startswith("built at first use")
    library_file().touch()
    assert next(kernels.lst_kernels()).text == str(library_file())


def test_compiled_functions_are_counted(monkeypatch, tmp_path):
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    assert next(kernels.corruption_kernels()).text.startswith("built at first use")
    folder = cache_folder() / "blur_1"
    folder.mkdir(parents=True)
    for name in ("a.nbi", "b.nbi", "a.1.nbc"):
        (folder / name).touch()
    assert next(kernels.corruption_kernels()).text.startswith("2 functions are there")


@pytest.mark.parametrize(
    ("switch", "check"),
    [
        ("LST_ROBUST_CORRUPTION_KERNELS", kernels.corruption_kernels),
        ("LST_ROBUST_LST_KERNELS", kernels.lst_kernels),
    ],
)
def test_switches_are_said(monkeypatch, switch, check):
    monkeypatch.setenv(switch, "plain")
    (finding,) = check()
    assert (finding.state, finding.mend) == ("note", f"unset {switch}") and f"by {switch}=plain," in finding.text
    monkeypatch.setenv(switch, "fats")
    (finding,) = check()
    assert finding.state == "fault" and "'fats'" in finding.text


def test_numbas_own_switch_is_said_too(monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    (finding,) = kernels.corruption_kernels()
    assert (finding.state, finding.mend) == ("note", "unset NUMBA_DISABLE_JIT")
