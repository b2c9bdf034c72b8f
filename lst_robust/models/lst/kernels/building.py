"""Builds fused.cpp where there is a C++ compiler; without one everything runs in torch.

The library is compiled once, a few seconds, for this machine's processor, into the user's cache folder. It is bound
by ctypes, so that no header of torch or Python is needed. LST_ROBUST_KERNELS=plain turns it off.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from lst_robust.runtime.cache import cache_root

SOURCE = Path(__file__).with_name("fused.cpp")
FLAGS = ("-O3", "-march=native", "-std=c++17", "-fPIC", "-shared")


@cache
def library(lanes: int = 0) -> ctypes.CDLL | None:
    """The compiled library, or None without compiler or with LST_ROBUST_KERNELS=plain.

    It works on vectors of `lanes` floats, 0 meaning the processor's widest.
    """
    if os.environ.get("LST_ROBUST_KERNELS") == "plain":
        return None
    try:
        path = _built(lanes)
        return None if path is None else ctypes.CDLL(str(path))
    except (OSError, subprocess.SubprocessError) as error:
        print(f"lst-robust: the fused LST kernel is not available ({error}); torch is used", file=sys.stderr)
        return None


def _built(lanes: int) -> Path | None:
    """Path of the library, compiled now if it is not in the cache; None without a compiler."""
    compiler = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None or sys.platform == "win32":
        return None
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    flags = [*FLAGS, f"-DLANES={lanes}"] if lanes else FLAGS
    identity = "\n".join([SOURCE.read_text(encoding="utf-8"), version, *flags, _processor()])
    folder = cache_root()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"lst-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.so"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=folder) as build:
            made = Path(build) / path.name
            command = [compiler, *flags, "-o", str(made), str(SOURCE)]
            subprocess.run(command, capture_output=True, timeout=300, check=True)
            made.replace(path)  # whole or not at all, whoever else is building
    return path


def _processor() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine() + platform.processor()
    return "".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
