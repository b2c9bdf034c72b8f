"""Processes on this machine, each of which is replaced when it is killed."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import connection, get_context, parent_process, resource_tracker
from typing import Any

from lst_robust.distribution.pickled import call_pickled, pickled
from lst_robust.errors import UsageError
from lst_robust.runtime.cores import available_cores

VISIBLE = "CUDA_VISIBLE_DEVICES"
QUIET = "ignore::UserWarning:multiprocessing.resource_tracker"


class LocalExecutor:
    """So many worker processes, started when they get their first task.

    Each is a pool of one: when it is killed, the task in its hands fails, and no other. A new process takes its place,
    and so it does after a task that has raised an error, which may have left a device or a library in no good state.
    They end when this process does. gpus: how many CUDA devices each one sees; 0: all. threads: how many each
    computes with, or fewer where OMP_NUM_THREADS says so; None: torch's default, one for each core.
    """

    def __init__(self, workers: int, gpus: int = 0, threads: int | None = None) -> None:
        self._pools: list[ProcessPoolExecutor | None] = [None] * workers
        self._loads = [0] * workers
        self._gpus, self._threads = gpus, threads
        self._lock = threading.RLock()  # futures call back from threads, or at once

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """The worker with the fewest tasks takes it. The future raises UsageError where the call cannot travel."""
        try:
            call = pickled(function, arguments)
        except UsageError as error:
            refused: Future[Any] = Future()
            refused.set_exception(error)
            return refused
        with self._lock:
            place = min(range(len(self._loads)), key=self._loads.__getitem__)
            pool = self._pool(place)
            try:
                future = pool.submit(call_pickled, call)
            except BrokenExecutor:  # killed since its last task
                self._pools[place] = None
                pool = self._pool(place)
                future = pool.submit(call_pickled, call)
            self._loads[place] += 1
        future.add_done_callback(lambda done: self._ended(place, pool, done))
        return future

    def cancel(self, futures: Sequence[Future[Any]]) -> None:
        """Ends all workers at once: what each has finished is on the disk."""
        with self._lock:
            pools = [pool for pool in self._pools if pool is not None]
        for pool in pools:
            for process in list((pool._processes or {}).values()):
                process.terminate()
        self.shutdown(wait=False)

    def shutdown(self, wait: bool = True) -> None:
        with self._lock:
            pools = [pool for pool in self._pools if pool is not None]
            self._pools = [None] * len(self._pools)
        for pool in pools:
            pool.shutdown(wait=wait, cancel_futures=True)

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def _pool(self, place: int) -> ProcessPoolExecutor:
        pool = self._pools[place]
        if pool is None:
            _start_quiet_tracker()
            devices = _devices(place, self._gpus)
            begin = (devices, self._threads)
            pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_begin_worker, initargs=begin)
            self._pools[place] = pool
        return pool

    def _ended(self, place: int, pool: ProcessPoolExecutor, future: Future[Any]) -> None:
        """Since Python 3.12 a pool whose process has died tells its futures while it holds its own lock, which both
        `shutdown` and `submit` want. Whoever waits for that lock here, or for ours, would wait without end."""
        if future.cancelled() or isinstance(future.exception(), BrokenExecutor):
            threading.Thread(target=self._leave, args=(place, pool, future), name="lst-robust-leave").start()
        else:
            self._leave(place, pool, future)

    def _leave(self, place: int, pool: ProcessPoolExecutor, future: Future[Any]) -> None:
        with self._lock:
            self._loads[place] -= 1
            if future.cancelled() or future.exception() is None or self._pools[place] is not pool:
                return
            if self._loads[place] == 0 or isinstance(future.exception(), BrokenExecutor):
                self._pools[place] = None
                pool.shutdown(wait=False)


def _devices(place: int, gpus: int) -> str | None:
    """Those that the worker at this place sees, of those that this process sees; None: all."""
    if not gpus:
        return None
    if VISIBLE in os.environ:
        visible = os.environ[VISIBLE].split(",")
    else:
        import torch

        visible = [str(number) for number in range(torch.cuda.device_count())]
    return ",".join(visible[(place * gpus + step) % len(visible)] for step in range(gpus)) if visible else ""


def share_of_cores(workers: int) -> int:
    """Threads of each of so many workers on this machine."""
    return max(available_cores() // workers, 1)


def _start_quiet_tracker() -> None:
    """Python's process that tidies up after this one, without its warning that there was something to tidy up: a
    command that Ctrl-C ends exits at once, and its own line is the last."""
    sys.warnoptions.append(QUIET)  # which Python hands on to the processes that it starts
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.remove(QUIET)


def _begin_worker(devices: str | None, threads: int | None) -> None:
    """Ctrl-C goes to the driver, which decides, and which says what there is to say. A driver that is killed takes its
    workers with it: they would wait for their next task for good."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        os.dup2(2, 1)  # what a network's own code prints is no result
    logging.getLogger("lst_robust").addHandler(logging.NullHandler())
    if devices is not None:
        os.environ[VISIBLE] = devices
    if threads is not None:
        _compute_by(threads)
    driver = parent_process()
    if driver is not None:
        threading.Thread(target=_end_with, args=(driver.sentinel,), name="driver", daemon=True).start()


def _compute_by(threads: int) -> None:
    """torch computes with so many threads, or with fewer where the user's OMP_NUM_THREADS says so."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        threads = min(threads, int(asked))
    os.environ["OMP_NUM_THREADS"] = str(threads)  # torch asks when it is imported, which is later mostly
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _end_with(sentinel: int) -> None:
    with suppress(OSError):
        connection.wait([sentinel])
    os._exit(1)
