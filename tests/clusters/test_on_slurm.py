"""Evaluations by tasks on a real Slurm cluster, undisturbed and disturbed: the records of one process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from lst_robust.distribution import slurm as engine
from lst_robust.distribution.driver import Driver
from lst_robust.distribution.run import run
from lst_robust.distribution.schedule import Schedule
from tests.clusters.same_results import differences, outcomes
from tests.clusters.slurm import Slurm, until
from tests.clusters.work import COUNT, driver, finished, requests, some_are_finished

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm")]
OPTIONS = {"time": "2", "cpus_per_task": "1"}
AT_ONCE = 3


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch):
    monkeypatch.setattr(engine, "POLL", 0.2)
    monkeypatch.setattr(engine, "QUEUE", 2.0)
    module = import_module("lst_robust.distribution.run")
    monkeypatch.setattr(module, "BEGINNING", 0.0)  # several jobs, however short they are
    monkeypatch.setattr(engine, "MOST_AT_A_TIME", 6)


@pytest.fixture
def executor(work: Path):
    with engine.slurm_executor(work / "jobs", AT_ONCE, options=OPTIONS) as made:
        yield made


def test_an_array_of_jobs_leaves_the_records_of_one_process(work, executor, slurm, undisturbed):
    evaluations = run(requests(work, work / "slurm"), executor, at_once=AT_ONCE)
    assert [one.measured for one in evaluations] == [COUNT, COUNT] and not evaluations.failed
    assert not differences(work / "slurm", undisturbed)
    jobs = slurm.jobs()
    assert len(jobs) > 1 and len({job.get("ArrayJobId", job["JobId"]) for job in jobs}) == 1, "all tasks were one array"
    until(lambda: not slurm.queue(), 10, "the last job, whose result is there, has ended")


def disturbed(work: Path, slurm: Slurm, disturb: Callable[[], None], undisturbed: Path) -> str:
    """The driver in a process of its own; jobs are disturbed when they have finished a few cells. What it logs."""
    (work / "slow").write_text("2.5")
    results = work / "slurm"
    with driver("slurm", results, AT_ONCE) as process:
        some_are_finished(results, 3)
        until(lambda: len(slurm.running()) == AT_ONCE, 10, "all run that may run at once")
        disturb()
        (work / "slow").unlink()
        said, errors = process.communicate(timeout=150)
    assert process.returncode == 0, errors
    assert said.split()[-1] == str(2 * COUNT), errors
    assert not differences(results, undisturbed)
    until(lambda: not slurm.queue(), 30, "the last job, whose result is there, has ended")
    return errors


def test_jobs_that_are_cancelled_killed_or_ended_by_their_time_limit_are_submitted_again(work, slurm, undisturbed):
    def disturb() -> None:
        cancelled, killed, overdue = slurm.running()
        slurm.says("scancel", cancelled)
        slurm.kill(killed)
        slurm.time_is_over_in(1, overdue)
        until(lambda: not {cancelled, killed, overdue} & set(slurm.queue()), 60, "all three have ended")

    errors = disturbed(work, slurm, disturb, undisturbed)
    ends = {job["JobState"] for job in slurm.jobs()}
    assert ends >= {"CANCELLED", "FAILED"}
    assert "TIMEOUT" in ends or any(int(job["Restarts"]) for job in slurm.jobs()), "it was warned at the last moment"
    assert errors.count("submitted again") >= 2


def test_jobs_that_are_requeued_by_hand_or_near_their_time_limit_go_on(work, slurm, undisturbed):
    """Slurm warns a job before its time is over, and the job then puts itself into the queue again."""

    def disturb() -> None:
        requeued, warned, _ = slurm.running()
        slurm.says("scontrol", "requeue", requeued)
        slurm.time_is_over_in(60, warned)
        until(lambda: not {requeued, warned} & set(slurm.running()), 60, "both have left their nodes")

    before = sum(int(job["Restarts"]) for job in slurm.jobs())
    errors = disturbed(work, slurm, disturb, undisturbed)
    assert sum(int(job["Restarts"]) for job in slurm.jobs()) >= before + 2
    assert "submitted again" not in errors, "they are not taken for lost"


def test_ctrl_c_in_the_driver_takes_its_jobs_out_of_the_queue_and_the_same_call_goes_on(work, slurm, undisturbed):
    (work / "slow").write_text("2.5")
    results = work / "slurm"
    with driver("slurm", results, AT_ONCE) as process:
        some_are_finished(results, 3)
        process.send_signal(2)
        errors = process.communicate(timeout=60)[1]
    assert process.returncode != 0, errors
    until(lambda: not slurm.queue(), 30, "its jobs are cancelled")
    before = outcomes(results)
    assert 3 <= len(before) < 2 * COUNT
    (work / "slow").unlink()
    with driver("slurm", results, AT_ONCE) as process:
        said, errors = process.communicate(timeout=150)
    assert said.split()[-1] == str(2 * COUNT - len(before)), errors
    assert not differences(results, undisturbed)


def test_a_driver_that_is_killed_is_started_again_beside_its_jobs(work, slurm, undisturbed):
    """The jobs of the first go on in the queue, and the second's share the cells with them."""
    (work / "slow").write_text("2.5")
    results = work / "slurm"
    with driver("slurm", results, AT_ONCE) as process:
        some_are_finished(results, 3)
        process.kill()
    assert slurm.running(), "its jobs go on"
    (work / "slow").unlink()
    with driver("slurm", results, AT_ONCE) as process:
        errors = process.communicate(timeout=150)[1]
    assert process.returncode == 0, errors
    assert not differences(results, undisturbed)
    until(lambda: not slurm.queue(), 60, "the jobs of the first have ended")
    assert not differences(results, undisturbed) and not finished(results)


def test_a_task_that_fails_on_one_node_is_tried_on_another(executor, slurm):
    """The node that fails is always free first, so that without this each retry would run there."""
    schedule = Schedule([(number, 1.0) for number in range(4)], retries=1)
    nodes = []
    Driver(schedule, executor, node_that_works, 4, ended=lambda _, node: nodes.append(node)).run()
    assert not schedule.failed and nodes == ["one"] * 4 and schedule.resubmitted >= 1
    assert [job.get("ExcNodeList") for job in slurm.jobs()].count("two") == schedule.resubmitted


def test_a_job_that_avoids_all_nodes_but_one_that_is_gone_runs_in_the_end(executor, slurm, monkeypatch):
    monkeypatch.setattr(engine, "AVOID", 5.0)
    slurm.says("scontrol", "update", "NodeName=one", "State=DRAIN", "Reason=test")
    try:
        assert executor.submit_elsewhere(any_node, 0, ["two"]).result(timeout=90) == "two"
    finally:
        slurm.says("scontrol", "update", "NodeName=one", "State=RESUME")


def any_node(_: int) -> str:
    return os.environ["SLURMD_NODENAME"]


def node_that_works(_: int) -> str:
    """The node's name; OSError on the node `two`, at once, while the other one takes its time."""
    node = os.environ["SLURMD_NODENAME"]
    if node == "two":
        raise OSError("no space left on device")
    time.sleep(8)
    return node
