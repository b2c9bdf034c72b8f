"""Runs C functions on torch's own threads.

Threads of our own beside them are slower than one: OpenMP's keep the cores busy for a while after each of torch's
operations, waiting for the next.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache

import torch

Task = Callable[[], object]
_Region = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def run_all(tasks: Sequence[Task]) -> None:
    """Calls all tasks, on as many threads at the same time; when all are through, raises what one of them raised."""
    start_team = _openmp()
    if len(tasks) == 1:
        tasks[0]()
    elif start_team is None:
        _on_pool(tasks)
    else:
        _on_team(start_team, tasks)


def _on_team(start_team: Callable[..., None], tasks: Sequence[Task]) -> None:
    waiting, errors, members = iter(tasks), list[BaseException](), set[int]()

    def region(_: object) -> None:  # on each thread of the team, which may have fewer than was asked for
        try:
            members.add(threading.get_ident())
            for task in waiting:
                task()
        except BaseException as error:  # C cannot pass it on
            errors.append(error)

    start_team(_Region(region), None, ctypes.c_uint(len(tasks)), ctypes.c_uint(0))
    if errors:
        raise errors[0]
    if threading.get_ident() not in members:  # Ctrl-C came on the way into `region`, from where C swallows it
        raise KeyboardInterrupt


def _on_pool(tasks: Sequence[Task]) -> None:
    futures = [_pool(len(tasks)).submit(task) for task in tasks]
    try:
        wait(futures)
    finally:  # also on Ctrl-C: the tasks work on the caller's memory
        wait(futures)
    for future in futures:
        future.result()


@cache
def _openmp() -> Callable[..., None] | None:
    """GOMP_parallel(function, data, threads, flags) of the OpenMP library that torch itself is linked with; None where
    torch has none (LLVM's and Intel's have the function too)."""
    try:
        function = ctypes.CDLL(torch._C.__file__).GOMP_parallel
    except (AttributeError, OSError):
        return None
    function.restype = None
    return function


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="lst-fused")
