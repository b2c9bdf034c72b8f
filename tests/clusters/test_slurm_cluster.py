"""The Slurm cluster of the tests: what it does with jobs, and that it leaves nothing."""

from __future__ import annotations

import os

import pytest

from tests.clusters.slurm import Slurm, tool, until

pytestmark = pytest.mark.slurm


def batch(slurm: Slurm, script: str, *options: str) -> str:
    """Submits a shell script; its job."""
    out = slurm.folder / "out-%j"
    return slurm.says("sbatch", "--parsable", f"--output={out}", *options, "--wrap", script).strip()


def said(slurm: Slurm, job: str) -> list[str]:
    return (slurm.folder / f"out-{job}").read_text().splitlines()


def test_two_nodes_are_idle_and_a_step_runs_on_both(slurm):
    status = tool("status", slurm.folder)
    assert status.returncode == 0 and status.stdout.count("idle") == 2, status.stdout
    assert sorted(slurm.says("srun", "-N", "2", "sh", "-c", "echo $SLURMD_NODENAME").split()) == ["one", "two"]
    assert "already up" in tool("up", slurm.folder).stdout


def test_a_requeued_job_starts_again_within_seconds(slurm):
    job = batch(slurm, "echo start $SLURM_RESTART_COUNT; sleep 60")
    until(lambda: slurm.running() == [job], 10, "the job runs")
    slurm.says("scontrol", "requeue", job)
    until(lambda: slurm.state(job) == "PENDING", 10, "it is back in the queue")
    until(lambda: slurm.running() == [job], 30, "it runs again")
    until(lambda: said(slurm, job)[-1:] == ["start 1"], 10, "it says so")


def test_scancel_and_a_time_limit_end_jobs_that_ignore_sigterm(slurm):
    deaf = "trap '' TERM; sleep 300"
    cancelled, overdue = (batch(slurm, deaf, "--time=1") for _ in range(2))
    until(lambda: len(slurm.running()) == 2, 10, "both run")
    slurm.time_is_over_in(1, overdue)
    slurm.says("scancel", cancelled)
    until(lambda: slurm.state(cancelled) == "CANCELLED", 15, "scancel ends it")
    until(lambda: slurm.state(overdue) == "TIMEOUT", 60, "the time limit ends it")


def test_down_leaves_neither_processes_nor_state(tmp_path_factory):
    """Of a cluster of its own, with a job that runs."""
    folder = tmp_path_factory.mktemp("slurm")
    started = tool("up", folder)
    assert started.returncode == 0, started.stderr
    slurm = Slurm(folder)
    job = batch(slurm, "sleep 300")
    until(lambda: slurm.running() == [job], 10, "the job runs")
    ended = tool("down", folder)
    assert ended.returncode == 0 and ended.stdout == "down\n", ended.stderr
    assert tool("status", folder).returncode == 1
    assert not processes_below(str(folder))
    assert not (folder / "state").exists() and not (folder / "munge.socket").exists()
    assert tool("down", folder).returncode == 0, "twice is once"


def processes_below(folder: str) -> list[str]:
    """Command lines of processes that were started with this folder's configuration."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environment, open(f"/proc/{pid}/cmdline", "rb") as line:
                if f"SLURM_CONF={folder}/".encode() in environment.read():
                    found.append(line.read().decode().replace("\0", " "))
        except OSError:  # it has ended meanwhile, or is another user's
            continue
    return found
