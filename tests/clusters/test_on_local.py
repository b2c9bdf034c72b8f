"""Evaluations by tasks on processes of this machine, undisturbed and disturbed: the records of one process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lst_robust.distribution.run import run
from tests.clusters.same_results import differences, leftovers, outcomes
from tests.clusters.slurm import until
from tests.clusters.work import COUNT, driver, requests, some_are_finished

AT_ONCE = 2


def workers(process) -> list[int]:
    """Processes that the driver has spawned for tasks."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_the_records_are_those_of_one_process(work, undisturbed):
    evaluations = run(requests(work, work / "local"), at_once=AT_ONCE)
    assert [one.measured for one in evaluations] == [COUNT, COUNT] and not evaluations.failed
    assert not differences(work / "local", undisturbed) and not leftovers(work / "local")


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced(work, undisturbed):
    results = work / "local"
    (work / "slow").write_text("0.5")
    with driver("local", results, AT_ONCE) as process:
        some_are_finished(results, 3)
        os.kill(workers(process)[0], signal.SIGKILL)
        (work / "slow").unlink()
        said, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and said.split()[-1] == str(2 * COUNT), errors
    assert "submitted again" in errors
    assert not differences(results, undisturbed) and not leftovers(results)


@pytest.mark.slow
def test_a_driver_that_is_killed_takes_its_workers_with_it_and_the_same_call_goes_on(work, undisturbed):
    results = work / "local"
    (work / "slow").write_text("0.5")
    with driver("local", results, AT_ONCE) as process:
        some_are_finished(results, 3)
        orphans = workers(process)
        process.kill()
        process.wait()
        assert orphans
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans), 20, "the workers have ended")
    before = outcomes(results)
    (work / "slow").unlink()
    with driver("local", results, AT_ONCE) as process:
        said, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and said.split()[-1] == str(2 * COUNT - len(before)), errors
    assert not differences(results, undisturbed) and not leftovers(results)
