"""What a job of submitit has left: its result, or why there is none, and the node on which it ran."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lst_robust.errors import LstRobustError, message_of

if TYPE_CHECKING:
    import submitit

SUFFIX = "_node.txt"
NODE = re.compile(r"\S+\n")


def is_slurm(job: submitit.Job[Any]) -> bool:
    return type(job).__name__ == "SlurmJob"


def files_of(jobs: Iterable[submitit.Job[Any]]) -> set[str]:
    """Names of all files in the folders of jobs of Slurm. A folder that is written to is read anew over NFS."""
    names: set[str] = set()
    for folder in {job.paths.folder for job in jobs if is_slurm(job)}:
        with suppress(OSError):
            folder.chmod(folder.stat().st_mode)
        with suppress(OSError):
            names.update(os.listdir(folder))
    return names


def line_that_names_the_node(folder: Path) -> str:
    """A line of a job's script: it writes Slurm's name of the node, which may differ from the host's, into a file in
    this folder. It comes before anything that can fail on a broken node, such as the start of Python."""
    name = '"${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"'
    return f'echo "$SLURMD_NODENAME" > {shlex.quote(str(folder))}/{name}{SUFFIX} || true'


def node_of(job: submitit.Job[Any]) -> str | None:
    """The node on which a job of Slurm has begun last; None where its file is missing or not whole yet."""
    try:
        text = (job.paths.folder / f"{job.job_id}{SUFFIX}").read_text() if is_slurm(job) else ""
    except (OSError, ValueError):
        return None
    return text.strip() if NODE.fullmatch(text) else None


def settle(future: Future[Any], job: submitit.Job[Any], *, has_result: bool) -> None:
    """The future gets the job's result, or what was wrong with it. has_result: the file is there, else submitit would
    wait for it."""
    try:
        if not has_result:
            future.set_exception(LstRobustError(_how_it_died(job)))
            return
        error = job.exception()
        if error is None:
            future.set_result(job.result())
        else:
            future.set_exception(LstRobustError(_reason(job, str(error))))
    except Exception as error:  # of submitit, such as a result that cannot be read
        with suppress(Exception):
            future.set_exception(LstRobustError(f"job {job.job_id}: {message_of(error)}"))


def _how_it_died(job: submitit.Job[Any]) -> str:
    try:
        log = job.paths.stderr.read_text(errors="replace")
    except OSError:
        log = ""
    last = next((line.strip() for line in reversed(log.splitlines()) if line.strip()), None)
    said = "" if last is None else f"; the last line of its log: {message_of(Exception(last))}"
    return (
        f"job {job.job_id} has left Slurm's queue without a result: it was killed or cancelled, or its node died{said}"
    )


def _reason(job: submitit.Job[Any], text: str) -> str:
    """What submitit's long message says: the last line of the traceback in it, or of all."""
    trace = text.split("----------------------")[1] if text.count("----------------------") > 1 else text
    last = next((line.strip() for line in reversed(trace.splitlines()) if line.strip()), "it has left no result")
    return f"job {job.job_id}: {last}"
