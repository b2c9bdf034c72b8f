"""Builds and calls fused.cpp, where there is a C++ compiler; without one everything runs in torch.

The library is compiled once, about a second, for this machine's processor, into the user's cache folder. It is bound
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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

SOURCE = Path(__file__).with_name("fused.cpp")
FLAGS = ("-O3", "-march=native", "-std=c++17", "-fPIC", "-shared")
TILE = 24  # as in fused.cpp


@cache
def library() -> ctypes.CDLL | None:
    """The compiled library, or None without compiler or with LST_ROBUST_KERNELS=plain."""
    if os.environ.get("LST_ROBUST_KERNELS") == "plain":
        return None
    try:
        path = _built()
        return None if path is None else ctypes.CDLL(str(path))
    except (OSError, subprocess.SubprocessError) as error:
        print(f"lst-robust: the fused LST kernel is not available ({error}); torch is used", file=sys.stderr)
        return None


def _built() -> Path | None:
    """Path of the library, compiled now if it is not in the cache; None without a compiler."""
    compiler = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None or sys.platform == "win32":
        return None
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    identity = "\n".join([SOURCE.read_text(encoding="utf-8"), version, *FLAGS, _processor()])
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "lst-robust"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"lst-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.so"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=folder) as build:
            made = Path(build) / path.name
            command = [compiler, *FLAGS, "-o", str(made), str(SOURCE)]
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


def pack_pointwise(weight: Tensor) -> Tensor:
    """(outputs, inputs, 1, 1) -> (outputs/16, inputs, 16), float32: 16 outputs side by side for each input."""
    outputs, inputs = weight.shape[:2]
    return weight.detach().float().reshape(outputs // 16, 16, inputs).transpose(1, 2).contiguous()


def pack_spatial(weight: Tensor) -> Tensor:
    """(4·c, 1, 3, 3) k-major -> (c/8, 9, 4, 8), float32: the filters of 8 channels side by side for each tap."""
    c = weight.shape[0] // 4
    return weight.detach().float().reshape(4, c // 8, 8, 9).permute(1, 3, 0, 2).contiguous()


def shortcut(x: Tensor, out: Tensor, stride: int, source: Tensor, scale: Tensor, shift: Tensor) -> None:
    """out (N, outputs, H', W') = scale·x[:, source, ::stride, ::stride] + shift; channels last, source int32."""
    sizes = [x.shape[2], x.shape[3], x.shape[1], out.shape[1], stride]
    _over_images(library().lst2_shortcut, x, out, 0, sizes, [source, scale, shift])  # type: ignore[union-attr]


def block(x: Tensor, out: Tensor, stride: int, weights: list[Tensor], tau: float) -> None:
    """The whole bottleneck: x (N, inputs, H, W), out (N, 4c, H', W') with the residual in it, both channels last.

    `weights`: W1, b1, W2, b2, W3, b3, packed as above. `out` may be `x`.
    """
    inputs, height, width = x.shape[1:]
    c = out.shape[1] // 4
    sizes = [height, width, inputs, c, stride]
    scratch = (height + 2) * (width + 2) * c + TILE * c
    _over_images(library().lst2_block, x, out, scratch, sizes, weights, tau)  # type: ignore[union-attr]


def tail(v: Tensor, out: Tensor, stride: int, weights: list[Tensor], tau: float) -> None:
    """ST, T_s, sum and ST: v (N, c, H, W) is T_c's output with bias; out as in `block`; `weights`: W3, b3."""
    c, height, width = v.shape[1:]
    scratch = (height + 2) * (width + 2) * c
    _over_images(library().lst2_tail, v, out, scratch, [height, width, c, stride], weights, tau)  # type: ignore[union-attr]


def _over_images(
    function: Callable[..., None],
    source: Tensor,
    out: Tensor,
    scratch_size: int,
    sizes: list[int],
    weights: list[Tensor],
    *tau: float,
) -> None:
    """Call `function` for the images, split evenly over torch's threads, each with scratch of its own."""
    n = source.shape[0]
    pointers = [ctypes.c_void_p(weight.data_ptr()) for weight in weights]

    def run(first: int, last: int) -> None:
        scratch = torch.empty(scratch_size)
        function(
            ctypes.c_void_p(source[first].data_ptr()),
            ctypes.c_void_p(out[first].data_ptr()),
            ctypes.c_void_p(scratch.data_ptr()),
            ctypes.c_int64(last - first),
            *sizes,
            *pointers,
            *map(ctypes.c_float, tau),
        )

    threads = min(torch.get_num_threads(), n)
    if threads == 1:
        run(0, n)
        return
    bounds = [n * i // threads for i in range(threads + 1)]
    others = [_pool(threads - 1).submit(run, *part) for part in pairwise(bounds[1:])]
    run(0, bounds[1])
    for other in others:
        other.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="lst-fused")
