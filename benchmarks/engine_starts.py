"""What it costs to begin a task on each engine: seconds from submission to result, of a task that only imports torch.

    tools/slurm-cluster up && export SLURM_CONF=$PWD/build/slurm/slurm.conf      # else Slurm is left out
    python -m benchmarks.engine_starts                                          # one minute

`first` begins a worker process. `next` finds one that has begun, where the engine keeps them; Slurm starts a process
for each job. The median of several rounds, on this machine alone. Written to results/published/engine_starts.csv.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from lst_robust.distribution.local import LocalExecutor

TABLE = Path(__file__).parents[1] / "results" / "published" / "engine_starts.csv"


def begin(number: int) -> int:
    """What each task needs before it can do anything."""
    import lst_robust.evaluation.measure  # noqa: F401

    return number


@contextmanager
def on_local() -> Iterator[Any]:
    with LocalExecutor(1) as executor:
        yield executor


@contextmanager
def on_slurm() -> Iterator[Any]:
    from lst_robust.distribution import slurm

    slurm.POLL = 0.1  # seconds: what is measured is Slurm, and not how often we look
    options = {"time": "10", "cpus_per_task": "1"}
    with tempfile.TemporaryDirectory() as folder, slurm.slurm_executor(Path(folder), 1, options=options) as executor:
        yield executor


@contextmanager
def on_ray() -> Iterator[Any]:
    from lst_robust.distribution.ray_cluster import RayExecutor

    with RayExecutor(cpus=1) as executor:
        yield executor


def seconds(executor: Any) -> float:
    begun = time.perf_counter()
    assert executor.submit(begin, 1).result(timeout=120) == 1
    return time.perf_counter() - begun


def measured(engine: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Seconds of the first task of an executor, and of one that follows: medians."""
    first, following = [], []
    for _ in range(rounds):
        with engine() as executor:
            first.append(seconds(executor))
            following += [seconds(executor) for _ in range(rounds)]
    return median(first), median(following)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).parents[1]))  # for the workers
    engines = {"local": on_local, "ray": on_ray}
    if shutil.which("sbatch") is not None and "SLURM_CONF" in os.environ:
        engines["slurm"] = on_slurm
    rows = []
    for name, engine in engines.items():
        first, following = measured(engine, rounds)
        rows.append({"engine": name, "first_seconds": first, "next_seconds": following, "rounds": rounds})
        print(rows[-1], flush=True)
    pd.DataFrame(rows).round(4).to_csv(TABLE, index=False)


if __name__ == "__main__":
    main()
