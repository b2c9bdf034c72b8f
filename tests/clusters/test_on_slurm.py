"""Evaluations by tasks on a real Slurm cluster, undisturbed and disturbed: the records of one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from lst_robust.distribution import slurm as engine
from lst_robust.distribution.run import run
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


@pytest.fixture
def executor(work: Path):
    with engine.slurm_executor(work / "jobs", AT_ONCE, options=OPTIONS) as made:
        yield made


def test_an_array_of_jobs_leaves_the_records_of_one_process(work, executor, slurm, undisturbed):
    evaluations = run(requests(work, work / "slurm"), executor, at_once=AT_ONCE)
    assert [one.measured for one in evaluations] == [COUNT, COUNT] and not evaluations.failed
    assert not differences(work / "slurm", undisturbed)
    arrays = {job.get("ArrayJobId") for job in slurm.jobs()}
    assert len(arrays) == 1 and None not in arrays, "all tasks were one array"
    until(lambda: not slurm.queue(), 10, "the last job, whose result is there, has ended")


def disturbed(work: Path, slurm: Slurm, disturb, undisturbed: Path) -> None:
    """The driver in a process of its own; jobs are disturbed when they have finished a few cells."""
    (work / "slow").touch()
    results = work / "slurm"
    with driver("slurm", results, AT_ONCE) as process:
        some_are_finished(results, 3)
        disturb()
        (work / "slow").unlink()
        said, errors = process.communicate(timeout=150)
    assert process.returncode == 0, errors
    assert said.split()[-1] == str(2 * COUNT), errors
    assert not differences(results, undisturbed)
    until(lambda: not slurm.queue(), 10, "the last job, whose result is there, has ended")


def test_jobs_that_are_cancelled_by_hand_are_submitted_again(work, slurm, undisturbed):
    disturbed(work, slurm, lambda: slurm.says("scancel", "--signal=KILL", *slurm.running()), undisturbed)


def test_a_requeued_job_goes_on(work, slurm, undisturbed):
    disturbed(work, slurm, lambda: slurm.says("scontrol", "requeue", slurm.running()[0]), undisturbed)
    assert any(int(job["Restarts"]) for job in slurm.jobs())


def test_a_job_whose_time_is_over_goes_on(work, slurm, undisturbed):
    disturbed(work, slurm, lambda: slurm.time_is_over_now(slurm.running()[0]), undisturbed)


def test_ctrl_c_in_the_driver_takes_its_jobs_out_of_the_queue_and_the_same_call_goes_on(work, slurm, undisturbed):
    (work / "slow").touch()
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
    (work / "slow").touch()
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
