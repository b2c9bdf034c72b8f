"""What a job of submitit has left: its result, or why there is none, and the node on which it ran."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lst_robust.errors import LstRobustError, message_of

if TYPE_CHECKING:
    import submitit

# A line of the job's script, so that its log names the node also where Python does not start there. The shell fills in
# Slurm's own name of the node, which may differ from that of the host.
SAY_NODE = 'echo "lst-robust: on node ${SLURMD_NODENAME:-unknown}" >&2'
NODE = re.compile(r"^lst-robust: on node (\S+)$", re.MULTILINE)


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


def node_of(job: submitit.Job[Any]) -> str | None:
    """The node on which a job of Slurm has run last, by its log; None where the log does not say it."""
    if not is_slurm(job):
        return None
    nodes = [node for node in NODE.findall(_log(job)) if node != "unknown"]
    return nodes[-1] if nodes else None


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


def _log(job: submitit.Job[Any]) -> str:
    try:
        return job.paths.stderr.read_text(errors="replace")
    except OSError:
        return ""


def _how_it_died(job: submitit.Job[Any]) -> str:
    lines = [line.strip() for line in NODE.sub("", _log(job)).splitlines()]
    last = next((line for line in reversed(lines) if line), None)
    said = "" if last is None else f"; the last line of its log: {message_of(Exception(last))}"
    node = node_of(job)
    ran = "" if node is None else f" on node {node}"
    return (
        f"job {job.job_id}{ran} has left Slurm's queue without a result: it was killed or cancelled, or its node died"
        f"{said}"
    )


def _reason(job: submitit.Job[Any], text: str) -> str:
    """What submitit's long message says: the last line of the traceback in it, or of all."""
    trace = text.split("----------------------")[1] if text.count("----------------------") > 1 else text
    last = next((line.strip() for line in reversed(trace.splitlines()) if line.strip()), "it has left no result")
    node = node_of(job)
    return f"job {job.job_id}: {last}" if node is None else f"job {job.job_id} on node {node}: {last}"
