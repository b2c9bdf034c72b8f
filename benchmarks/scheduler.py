"""What the scheduling of tasks costs: the time of 20,000 tasks on 200 workers of Ray beside the least that is possible.

    python -m benchmarks.scheduler                                   # ten minutes, of which nearly all is sleep
    python -m benchmarks.scheduler --tasks 2000 --workers 50         # one minute

A task sleeps for a drawn time: lognormal, mean 1 s, most of them short and a few of 60 times the mean. One in a hundred
attempts fails midway, at a drawn moment, and what it slept is lost. The schedule and its driver are those of
`lst_robust.distribution`, the engine is Ray. 200 processes would need 20 GB, so 200 workers are threads of a few
actors: a thread that sleeps needs no processor. The bound is max(sum of all times / workers, longest time), without
failures. No schedule ends before it. Beside it stands what the order "longest first, by true times" takes where nothing
fails and nothing costs time but the tasks.

Three schedules: the times are known; they are known up to a factor that is drawn (a third up or down, as an estimate
from other networks is); and nothing is known, so that tasks are taken in their order. And once more with Ray's own
processes and `RayExecutor` itself, fewer of both. Written to results/published/scheduler.csv.
"""

from __future__ import annotations

import argparse
import heapq
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lst_robust.distribution.driver import Driver, Executor
from lst_robust.distribution.ray_cluster import RayExecutor
from lst_robust.distribution.schedule import Schedule

TABLE = Path(__file__).parents[1] / "results" / "published" / "scheduler.csv"
SIGMA = 1.3  # of the logarithm of the times
LONGEST = 60.0  # means
FAILURES = 0.01  # of all attempts
ACTORS = 4
OBJECT_STORE = 100 * 2**20  # bytes


class Sleep(NamedTuple):
    """A task: seconds to sleep, and when each of its attempts fails, as a share of them; None: it does not."""

    number: int
    seconds: float
    fails_at: tuple[float | None, ...]
    attempt: int = 0


class FailedOnPurpose(Exception):
    """What a failing attempt raises."""


def sleep(task: Sleep) -> int:
    """The work of a task."""
    fails_at = task.fails_at[min(task.attempt, len(task.fails_at) - 1)]
    time.sleep(task.seconds * (1 if fails_at is None else fails_at))
    if fails_at is not None:
        raise FailedOnPurpose(f"task {task.number}, attempt {task.attempt}")
    return task.number


def drawn(count: int, mean: float, seed: int = 0) -> list[Sleep]:
    """Tasks of the mean given, in seconds."""
    rng = np.random.default_rng(seed)
    seconds = np.minimum(rng.lognormal(-(SIGMA**2) / 2, SIGMA, count), LONGEST)
    seconds *= mean / seconds.mean()
    fails = rng.random((count, 2)) < FAILURES
    moments = rng.random((count, 2))
    return [
        Sleep(
            n,
            float(seconds[n]),
            (*(float(at) if bad else None for bad, at in zip(fails[n], moments[n], strict=True)), None),
        )
        for n in range(count)
    ]


def expected(tasks: list[Sleep], known: str, seed: int = 1) -> list[float]:
    """What the schedule is told of each task's time."""
    if known == "nothing":
        return [1.0] * len(tasks)
    factors = np.exp(np.random.default_rng(seed).normal(0, 0.3, len(tasks))) if known == "about" else [1.0] * len(tasks)
    return [task.seconds * float(factor) for task, factor in zip(tasks, factors, strict=True)]


def longest_first_seconds(tasks: list[Sleep], workers: int) -> float:
    """When the last task ends, where each worker that is free takes the longest one that waits."""
    free = [0.0] * workers  # from when on, for each worker
    for seconds in sorted((task.seconds for task in tasks), reverse=True):
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


class Threads:
    """An executor: threads of a few actors of Ray, as many as there are workers."""

    def __init__(self, workers: int) -> None:
        import ray

        @ray.remote(num_cpus=0)
        class Actor:
            def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
                return function(*arguments)

        each = -(-workers // ACTORS)
        self._actors = [Actor.options(max_concurrency=each).remote() for _ in range(ACTORS)]
        self._loads = [0] * ACTORS
        self._lock = threading.Lock()

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        with self._lock:
            place = min(range(ACTORS), key=self._loads.__getitem__)
            self._loads[place] += 1
        future = self._actors[place].call.remote(function, *arguments).future()
        future.add_done_callback(lambda _: self._leave(place))
        return future

    def _leave(self, place: int) -> None:
        with self._lock:
            self._loads[place] -= 1


def measured(tasks: list[Sleep], executor: Executor, workers: int, known: str) -> dict[str, Any]:
    """A row of the table."""
    schedule = Schedule(list(zip(tasks, expected(tasks, known), strict=True)))
    attempts = [0] * len(tasks)
    ended: set[int] = set()

    def prepare(task: Sleep) -> Sleep:
        attempts[task.number] += 1
        return task._replace(attempt=attempts[task.number] - 1)

    driver = Driver(schedule, executor, sleep, workers, prepare=prepare, ended=lambda task, number: ended.add(number))
    started, processor = time.perf_counter(), time.process_time()
    driver.run()
    took, processor = time.perf_counter() - started, time.process_time() - processor
    if len(ended) != len(tasks) or schedule.failed:
        raise SystemExit(f"{len(ended)} of {len(tasks)} tasks have ended, {len(schedule.failed)} have failed for good")
    total, longest = sum(task.seconds for task in tasks), max(task.seconds for task in tasks)
    bound = max(total / workers, longest)
    longest_first = longest_first_seconds(tasks, workers)
    return {
        "known": known,
        "tasks": len(tasks),
        "workers": workers,
        "mean_seconds": total / len(tasks),
        "longest_seconds": longest,
        "failed_attempts": schedule.resubmitted,
        "bound_seconds": bound,
        "longest_first_seconds": longest_first,
        "makespan_seconds": took,
        "over_bound": took / bound - 1,
        "over_longest_first": took / longest_first - 1,
        "driver_processor_ms_per_task": 1000 * processor / len(tasks),
    }


def warm_up(executor: Executor, workers: int, deadline: float = 300) -> None:
    """All workers are there, before the clock starts: so many tasks run at the same time."""
    started = time.monotonic()
    while time.monotonic() - started < deadline:
        begun = time.monotonic()
        for future in [executor.submit(time.sleep, 2) for _ in range(workers)]:
            future.result()
        if time.monotonic() - begun < 3:
            return
    raise SystemExit(f"{workers} workers of Ray did not start within {deadline} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--mean", type=float, default=1.0, help="seconds of a task")
    parser.add_argument("--processes", type=int, default=16, help="the same with so many processes; 0: not")
    options = parser.parse_args()
    import ray

    logging.getLogger("lst_robust").setLevel(logging.ERROR)  # a line for each task that is meant to fail
    most = max(options.processes, ACTORS)
    ray.init(
        address="local",  # and no cluster that happens to run here
        num_cpus=most,
        object_store_memory=OBJECT_STORE,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    tasks = drawn(options.tasks, options.mean)
    rows = []
    executor: Executor = Threads(options.workers)
    warm_up(executor, options.workers)
    for known in ("exactly", "about", "nothing"):
        rows.append({"engine": "ray, threads of actors"} | measured(tasks, executor, options.workers, known))
        print(pd.DataFrame(rows[-1:]).to_string(header=len(rows) == 1), flush=True)
    if options.processes:
        fewer = drawn(options.tasks * options.processes // options.workers, options.mean)
        with RayExecutor() as executor:
            warm_up(executor, options.processes)
            rows.append({"engine": "ray, processes"} | measured(fewer, executor, options.processes, "about"))
    ray.shutdown()
    table = pd.DataFrame(rows)
    table.round(4).to_csv(TABLE, index=False)
    print(table.round(4).to_string())


if __name__ == "__main__":
    main()
