"""The options of `--slurm`, as submitit has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lst_robust.errors import UsageError

MINUTES = 240  # of a job, where the options do not say
SIGNAL = 90  # seconds before the end of its time at which a job hears of it; less of a job that has only minutes
TIME = re.compile(
    r"(?:(?P<days>\d{1,12})-(?P<rest>\d{1,12}(?::\d{1,12}){0,2}))|(?P<plain>\d{1,12}(?::\d{1,12}){0,2})", re.ASCII
)
NUMBER = re.compile(r"0|[1-9]\d{0,17}", re.ASCII)  # 00123 is a name, such as an account's
NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
ONE_PROCESS = {"nodes", "ntasks", "ntasks_per_node", "tasks_per_node"}
GPUS = {"gpus", "gpus_per_node", "gpus_per_task", "num_gpus"}
SUBMITITS = {"additional_parameters", "setup", "srun_args", "stderr_to_stdout", "teardown", "use_srun"}
OURS = {"array", "array_parallelism", "error", "job_name", "open_mode", "output", "requeue", "signal", "wait", "wrap"}


def parameters_of(options: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What submitit may know, and what goes to sbatch as it is; with the defaults.

    options: of sbatch by their long names, such as `partition`, `time` (in minutes, or as sbatch has it),
    `cpus_per_task`, `mem`. UsageError for what cannot be meant.
    """
    known: dict[str, Any] = {}
    for key, text in options.items():
        name = key.replace("-", "_").lower()
        if not NAME.fullmatch(name) or not text:
            raise UsageError(f"--slurm {key}={text}: give a long option of sbatch and its value, such as partition=gpu")
        if name in ONE_PROCESS:
            raise UsageError(f"--slurm {key}={text}: each task is one process on one node: leave it out")
        if name in OURS:
            raise UsageError(f"--slurm {key}={text}: lst-robust sets {key} itself: leave it out")
        if name in SUBMITITS:
            raise UsageError(f"--slurm {key}={text}: {key} is of submitit and no option of sbatch: leave it out")
        if not text.isprintable():
            raise UsageError(f"--slurm {key}={text}: give a value of one line, without control characters")
        if name in known:
            raise UsageError(f"--slurm gives {name} two values, {known[name]} and {text}: give one of them")
        known[name] = int(text) if NUMBER.fullmatch(text) else text
    known["time"] = minutes_of(str(known.get("time", MINUTES)))
    known.setdefault("signal_delay_s", min(SIGNAL, 15 * known["time"]))
    return known, {"requeue": True}  # so that a preempted job goes on, also where the site's default is another


def minutes_of(text: str) -> int:
    """Minutes, rounded up, of a time as sbatch has it: M, M:S, H:M:S, D-H, D-H:M or D-H:M:S. UsageError for another."""
    found = TIME.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"--slurm time={text}: give minutes, such as 240, or a time such as 4:00:00 or 1-12:00")
    if found["days"] is not None:
        hours, minutes, seconds = ([int(part) for part in found["rest"].split(":")] + [0, 0])[:3]
        total = ((int(found["days"]) * 24 + hours) * 60 + minutes) * 60 + seconds
    else:
        parts = [int(part) for part in found["plain"].split(":")]
        hours, minutes, seconds = {1: [0, *parts, 0], 2: [0, *parts], 3: parts}[len(parts)]
        total = (hours * 60 + minutes) * 60 + seconds
    if not 60 <= total <= 366 * 24 * 3600:
        raise UsageError(f"--slurm time={text}: give a minute at least, and a year at most")
    return -(-total // 60)
