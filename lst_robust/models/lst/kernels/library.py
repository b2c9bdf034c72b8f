"""Builds and loads the operators `torch.ops.lst_robust`, once a machine, in the user's cache folder.

The kernels are compiled once for each width of vectors, and which of them run is seen from the processor at run time.
The operators around them are compiled by torch's own builder. Both need a C++ compiler, and the latter ninja. Without
one of them, or without a folder to keep the result in, everything runs in plain torch.
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
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from itertools import product
from pathlib import Path
from threading import Lock

import torch

from lst_robust.errors import LstRobustError
from lst_robust.runtime.cache import MAX_AGE_DAYS, cache_root, mark_used
from lst_robust.runtime.file_lock import file_lock
from lst_robust.runtime.switches import LST_KERNELS, check_vectors, kernels_wanted

logger = logging.getLogger(__name__)
_first_use = Lock()

SOURCES = Path(__file__).with_name("csrc")
KERNELS = ("block.cpp", "bottleneck.cpp", "pointwise.cpp", "training.cpp")
"""They know no torch, and are compiled once for each width of vectors."""

BUILDS = "lst-build-"
"""What the names of folders begin with in which a process builds."""
BUILD_DAYS = 1
"""A build takes minutes at most: so much later its folder is that of a process that was killed."""

KERNEL_FLAGS = ("-std=c++17", "-O3", "-fPIC")
# Floats in a vector, and what makes the compiler use the processor's instructions for them; lanes.h chooses among them.
WIDTHS: dict[int, tuple[str, ...]] = (
    {4: (), 8: ("-mavx2", "-mfma"), 16: ("-mavx512f", "-mfma")}
    if platform.machine().lower() in ("x86_64", "amd64")
    else {4: ()}
)
# OpenMP's functions are not linked but found in the library that torch itself runs on. A second one would have threads
# of its own, which wait for work beside torch's and so slow them down.
FLAGS = ("-O3", "-march=native", *(("-fopenmp",) if sys.platform == "linux" else ()))


def kernels_ready() -> bool:
    """Whether `torch.ops.lst_robust` may be called: it is wanted (LST_ROBUST_LST_KERNELS), and it is there.

    The first call builds it. Raises UsageError where the switch has another value than fast or plain, and where
    LST_ROBUST_LST_VECTORS is no width.
    """
    check_vectors()
    return kernels_wanted(LST_KERNELS) and _loaded()


def _loaded() -> bool:
    """Whether the operators could be loaded. Threads that ask at the same time wait for the first of them."""
    with _first_use:
        return _load_once()


@cache
def _load_once() -> bool:
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
            _remove_remains(library.parent)


def library_file(folder: Path | None = None) -> Path:
    """Where the library of this machine is kept, by default in the cache. It may not be there yet.

    Raises FileNotFoundError where no C++ compiler is found, OSError or SubprocessError where it cannot be called.
    """
    return (cache_root() if folder is None else folder) / f"lst-{_identity()}.so"


def _could_load(library: Path) -> bool:
    """Whether `library` is loaded now. A file that is damaged is as good as none."""
    if not library.exists():
        return False
    try:
        torch.ops.load_library(library)
    except OSError:
        return False
    mark_used(library)
    return True


def _remove_remains(folder: Path) -> None:
    """Deletes libraries that nobody has loaded for `MAX_AGE_DAYS`, and folders of builds that were killed."""
    kinds = (("lst-*.so", MAX_AGE_DAYS), (f"{BUILDS}*", BUILD_DAYS))
    for path, days in [(path, days) for pattern, days in kinds for path in folder.glob(pattern)]:
        with suppress(OSError):
            if path.stat().st_mtime > time.time() - days * 86_400:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _build(library: Path) -> None:
    """Builds and loads the library in a folder of this process, and puts the file into its place whole."""
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it warns that there is no GPU
    from torch.utils.cpp_extension import load  # takes a while, and only who compiles needs it

    with tempfile.TemporaryDirectory(prefix=BUILDS, dir=library.parent) as folder, _ninja_on_path():
        load(
            "lst_robust_kernels",
            sorted(str(path) for path in SOURCES.glob("*.cpp") if path.name not in KERNELS),
            extra_cflags=list(FLAGS),
            extra_ldflags=compile_kernels(Path(folder)),
            build_directory=folder,
            is_python_module=False,
        )
        (built,) = Path(folder).glob("*.so")  # torch says where only since a later version than the oldest one here
        built.replace(library)


def compile_kernels(folder: Path) -> list[str]:
    """Compiles the kernels for all widths of vectors, as many at a time as there are processors. Returns the objects.

    Raises OSError where the compiler cannot be called, and RuntimeError with its first line where it fails.
    """

    def compile_one(source: str, width: int) -> str:
        target = folder / f"{Path(source).stem}-{width}.o"
        flags = [*KERNEL_FLAGS, *WIDTHS[width], f"-DLST_WIDTH={width}"]
        command = [*_compiler_command(), *flags, "-c", str(SOURCES / source), "-o", str(target)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=600)
        if done.returncode:
            raise RuntimeError((done.stderr.strip() or f"the compiler ended with {done.returncode}").partition("\n")[0])
        return str(target)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(compile_one, *zip(*product(KERNELS, WIDTHS), strict=True)))


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


def _compiler_command() -> list[str]:
    """The C++ compiler that torch's builder takes, with arguments if the variable CXX has them."""
    command = os.environ.get("CXX", "c++")
    try:
        return shlex.split(command) or [""]
    except ValueError:  # a quotation mark without its partner
        return [command]


def compiler_path() -> str:
    """Path of the C++ compiler that torch's builder takes. FileNotFoundError where there is none."""
    name = _compiler_command()[0]
    path = shutil.which(name)
    if path is None or sys.platform == "win32":
        raise FileNotFoundError(f"no C++ compiler {name!r}")
    return path


def compiler_version() -> str:
    """What the compiler says of itself. Raises as `library_file` does.

    It is called with its arguments: the first word of CXX may be a program such as ccache, which calls the compiler.
    """
    command = [compiler_path(), *_compiler_command()[1:], "--version"]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=True).stdout


def _identity() -> str:
    """A digest of all that the library is made from."""
    compiler = [compiler_version(), compiler_path(), *_compiler_command()[1:]]
    sources = [path.read_text(encoding="utf-8") for path in sorted(SOURCES.iterdir())]
    options = str((compiler, KERNEL_FLAGS, WIDTHS, FLAGS))
    made_from = "\n".join([*sources, torch.__version__, options, _processor()])
    return hashlib.sha256(made_from.encode()).hexdigest()[:16]


def _processor() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine() + platform.processor()
    return "".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
