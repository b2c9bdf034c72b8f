"""Compilers, and the compiled kernels: there, or built at their first use."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from lst_robust.diagnosis.finding import Finding
from lst_robust.errors import UsageError, reason_of
from lst_robust.runtime.switches import CORRUPTION_KERNELS, LST_KERNELS, REPLACED, switched_off_by

AT_FIRST_USE = "built at first use"


def compiler() -> Iterator[Finding]:
    from lst_robust.models.lst.kernels.library import compiler_path, compiler_version

    try:
        path, said = compiler_path(), compiler_version()
    except (OSError, subprocess.SubprocessError) as error:
        text = f"none that works ({reason_of(error)}): LST-Nets run in plain torch, which is slower"
        yield Finding("C++ compiler", "note", text, "install g++, or name it in CXX")
    else:
        yield Finding("C++ compiler", "ok", f"{path}: {said.strip().partition(chr(10))[0]}")


def ninja() -> Iterator[Finding]:
    import ninja as package

    found = next(iter(sorted(Path(package.BIN_DIR).glob("ninja*"))), None)
    if found is None:
        text = f"{package.BIN_DIR} has no ninja: the LST kernels cannot be built"
        yield Finding("ninja", "fault", text, "pip install --force-reinstall ninja")
    else:
        yield Finding("ninja", "ok", f"{package.__version__}, {found}")


def corruption_kernels() -> Iterator[Finding]:
    """Those that numba compiles, one by one."""
    name = "corruption kernels"
    if (switched := _switched_off(name, CORRUPTION_KERNELS)) is not None:
        yield switched
        return
    from lst_robust.corruptions.kernels.compiling import cache_folder

    folder = cache_folder()
    count = sum(1 for _ in folder.rglob("*.nbi"))
    there = f"{count} functions are there, in {folder}" if count else f"{AT_FIRST_USE}, some seconds each"
    yield Finding(name, "ok", there)


def lst_kernels() -> Iterator[Finding]:
    """The library of LST-Nets that the C++ compiler makes."""
    name = "LST kernels"
    if (switched := _switched_off(name, LST_KERNELS)) is not None:
        yield switched
        return
    from lst_robust.models.lst.kernels.library import library_file

    try:
        file = library_file()
    except (OSError, subprocess.SubprocessError) as error:
        text = f"not available ({reason_of(error)}): plain torch is used, which is slower"
        yield Finding(name, "note", text, "install a C++ compiler, see above")
    else:
        yield Finding(name, "ok", str(file) if file.is_file() else f"{AT_FIRST_USE}, about half a minute")


def _switched_off(name: str, switch: str) -> Finding | None:
    """What is said where a variable of the environment asks for the plain definitions, or for nothing that is known."""
    try:
        setting = switched_off_by(switch)
    except UsageError as error:
        wrong = REPLACED if REPLACED in os.environ else switch
        return Finding(name, "fault", str(error), f"unset {wrong}")
    if setting is None:
        return None
    return Finding(name, "note", f"switched off by {setting}, which is slower", f"unset {setting.partition('=')[0]}")
