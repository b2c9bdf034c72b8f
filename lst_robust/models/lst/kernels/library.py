"""Builds and loads the operators `torch.ops.lst_robust`, once a machine, in the user's cache folder.

The sources are compiled for this machine's processor by torch's own builder, which needs a C++ compiler and ninja.
Without one of them, or without a folder to keep the result in, everything runs in plain torch.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

from lst_robust.errors import LstRobustError
from lst_robust.runtime.cache import cache_root
from lst_robust.runtime.file_lock import file_lock
from lst_robust.runtime.switches import LST_KERNELS, kernels_wanted

logger = logging.getLogger(__name__)

SOURCES = Path(__file__).with_name("csrc")
# OpenMP's functions are not linked but found in the library that torch itself runs on. A second one would have threads
# of its own, which wait for work beside torch's and so slow them down.
FLAGS = ("-O3", "-march=native", *(("-fopenmp",) if sys.platform == "linux" else ()))


def kernels_ready() -> bool:
    """Whether `torch.ops.lst_robust` may be called: it is wanted (LST_ROBUST_LST_KERNELS), and it is there.

    The first call builds it. Raises UsageError where the switch has another value than fast or plain.
    """
    return kernels_wanted(LST_KERNELS) and _loaded()


@cache
def _loaded() -> bool:
    """Whether the operators could be loaded. Where not, one line says why."""
    try:
        _load(cache_root())
    except (OSError, ImportError, RuntimeError, UnicodeError, subprocess.SubprocessError, LstRobustError) as error:
        reason = str(error).strip().partition("\n")[0]
        logger.warning("the compiled LST kernels are not available (%s): plain torch is used, which is slower", reason)
        return False
    return True


def _load(folder: Path) -> None:
    """Loads the library from `folder`, where it is built first if nobody has done so."""
    library = library_file(folder)
    if _could_load(library):
        return
    with file_lock(library.with_suffix(".lock"), wait=True):  # a process that is killed loses it
        if not _could_load(library):  # another process may have built it in the meantime
            logger.info("compiling the LST kernels, once on this machine")
            _build(library)


def library_file(folder: Path | None = None) -> Path:
    """Where the library of this machine is kept, by default in the cache. It may not be there yet.

    Raises FileNotFoundError where no C++ compiler is found, OSError or SubprocessError where it cannot be called.
    """
    return (cache_root() if folder is None else folder) / f"lst-{_identity(compiler_path())}.so"


def _could_load(library: Path) -> bool:
    """Whether `library` is loaded now. A file that is damaged is as good as none."""
    if not library.exists():
        return False
    try:
        torch.ops.load_library(library)
    except OSError:
        return False
    return True


def _build(library: Path) -> None:
    """Builds and loads the library in a folder of this process, and puts the file into its place whole."""
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it warns that there is no GPU
    from torch.utils.cpp_extension import load  # takes a while, and only who compiles needs it

    with tempfile.TemporaryDirectory(dir=library.parent) as folder, _ninja_on_path():
        load(
            "lst_robust_kernels",
            sorted(map(str, SOURCES.glob("*.cpp"))),
            extra_cflags=list(FLAGS),
            build_directory=folder,
            is_python_module=False,
        )
        (built,) = Path(folder).glob("*.so")  # torch says where only since a later version than the oldest one here
        built.replace(library)


@contextmanager
def _ninja_on_path() -> Iterator[None]:
    """Lets torch find the ninja of this Python's packages, also where its environment is not activated."""
    import ninja

    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([ninja.BIN_DIR, before])
    try:
        yield
    finally:
        os.environ["PATH"] = before


def compiler_path() -> str:
    """Path of the C++ compiler that torch's builder takes. FileNotFoundError where there is none."""
    command = os.environ.get("CXX", "c++")
    try:
        name = next(iter(shlex.split(command)), "")
    except ValueError:  # a quotation mark without its partner
        name = command
    path = shutil.which(name)
    if path is None or sys.platform == "win32":
        raise FileNotFoundError(f"no C++ compiler {name!r}")
    return path


def _identity(compiler: str) -> str:
    """A digest of all that the library is made from."""
    version = subprocess.run(
        [compiler, "--version"], capture_output=True, text=True, errors="replace", timeout=60, check=True
    ).stdout
    sources = [path.read_text(encoding="utf-8") for path in sorted(SOURCES.iterdir())]
    made_from = "\n".join([*sources, torch.__version__, version, *FLAGS, _processor()])
    return hashlib.sha256(made_from.encode()).hexdigest()[:16]


def _processor() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine() + platform.processor()
    return "".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
