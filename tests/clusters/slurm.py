"""The Slurm cluster of the tests, by its own commands."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "slurm-cluster"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "OUT_OF_MEMORY"}


def tool(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """`tools/slurm-cluster COMMAND FOLDER`"""
    return subprocess.run([TOOL, command, folder], capture_output=True, text=True, timeout=300, check=False)


def until(holds: Callable[[], object], seconds: float, what: str) -> None:
    """Waits until it holds; AssertionError when the time is over."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.1)


class Slurm:
    """A running cluster with its configuration in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configuration = folder / "slurm.conf"

    def says(self, *command: str) -> str:
        """stdout of one of Slurm's commands, which must succeed."""
        environment = os.environ | {"SLURM_CONF": str(self.configuration)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def queue(self) -> dict[str, str]:
        """Job or array task, such as 12_3 -> its state: PENDING, RUNNING, COMPLETING."""
        lines = self.says("squeue", "--noheader", "--array", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    def running(self) -> list[str]:
        return [job for job, state in self.queue().items() if state == "RUNNING"]

    def jobs(self) -> list[dict[str, str]]:
        """All jobs that the controller knows, those that have ended too: JobState, Restarts, NodeList, ..."""
        lines = self.says("scontrol", "show", "job", "--oneliner").splitlines()
        return [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines if "JobId=" in line]

    def state(self, job: str) -> str:
        [line] = self.says("scontrol", "show", "job", "--oneliner", job).splitlines()
        return re.findall(r"JobState=(\S+)", line)[0]

    def time_is_over_in(self, seconds: float, job: str) -> None:
        """Lets the time limit of a running job hit. A limit is a minute at least, but its end may be set. The
        controller looks at it every half a minute."""
        end = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + seconds))
        self.says("scontrol", "update", f"JobId={job}", f"EndTime={end}")

    def kill(self, job: str) -> None:
        """SIGKILL for all processes of a running task of an array, such as 12_3, as a node's lack of memory does it."""
        array, task = job.split("_")
        wanted = {f"SLURM_ARRAY_JOB_ID={array}".encode(), f"SLURM_ARRAY_TASK_ID={task}".encode()}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with suppress(OSError):  # it has ended meanwhile, or is another user's
                environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                if f"SLURM_CONF={self.configuration}".encode() in environment and wanted <= set(environment):
                    os.kill(int(pid), signal.SIGKILL)

    def cancel_all(self) -> None:
        if self.queue():
            self.says("scancel", "--user", str(os.getuid()))
            until(lambda: not self.queue(), 30, "the queue is empty")
