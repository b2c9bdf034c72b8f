"""`lst_robust.run`: whoever measures, the records are those of `run_requests`."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import lst_robust
from lst_robust.distribution import breaker, driver
from lst_robust.errors import LstRobustError, NothingToEvaluateError, UsageError
from lst_robust.runtime.progress import Silent
from tests.clusters.same_results import differences, outcomes
from tests.clusters.work import COUNT, ROOT, requests


def test_on_threads_the_records_are_those_of_one_process_and_a_second_call_measures_nothing(work, undisturbed):
    results = work / "threads"
    with ThreadPoolExecutor(2) as executor:
        first = lst_robust.run(requests(work, results), executor)
        again = lst_robust.run(requests(work, results), executor)
    assert not differences(results, undisturbed)
    assert [one.measured for one in first] == [COUNT, COUNT] and not first.failed
    assert [one.measured for one in again] == [0, 0]
    assert [one.records.keys() for one in again] == [one.records.keys() for one in first]


def test_on_processes_of_this_machine_too(work, undisturbed):
    evaluations = lst_robust.run(requests(work, work / "processes"))
    assert [one.measured for one in evaluations] == [COUNT, COUNT]
    assert not differences(work / "processes", undisturbed)


def test_one_network_alone_is_the_same_as_that_network_among_others(work, undisturbed):
    with ThreadPoolExecutor(2) as executor:
        [one] = lst_robust.run(requests(work, work / "alone")[1], executor)
    everything = outcomes(undisturbed)
    found = outcomes(work / "alone")
    assert len(found) == COUNT and all(everything[key] == record for key, record in found.items())
    assert one.measured == COUNT


class Dead(Executor):
    """A cluster that takes tasks and lets each fail."""

    def submit(self, function, /, *arguments):
        future: Future = Future()
        future.set_exception(LstRobustError("the worker process died"))
        return future


def test_where_all_tasks_fail_for_minutes_it_ends_and_the_same_call_goes_on(work, undisturbed, monkeypatch):
    results = work / "dead"
    monkeypatch.setattr(breaker, "PATIENCE", 0.0)
    monkeypatch.setattr(breaker, "FEWEST", 2)
    monkeypatch.setattr(driver, "WAKE", 0.01)
    monkeypatch.setattr("lst_robust.distribution.schedule.PAUSE", 0.0)
    lst_robust.run_requests(requests(work, results)[:1])
    kept = outcomes(results)
    with pytest.raises(LstRobustError, match=r"tasks all failed \(the worker process died\)"):
        lst_robust.run(requests(work, results), Dead(), at_once=1)
    assert outcomes(results) == kept and len(kept) == COUNT
    with ThreadPoolExecutor(1) as executor:
        evaluations = lst_robust.run(requests(work, results), executor, at_once=1)
    assert sum(one.measured for one in evaluations) == COUNT
    assert not differences(results, undisturbed)


def test_what_is_no_executor_is_refused(work: Path):
    with pytest.raises(UsageError, match="executor is str, which has no submit"):
        lst_robust.run(requests(work, work / "no"), "ray")
    with pytest.raises(NothingToEvaluateError):
        lst_robust.run([])


def test_forked_processes_are_refused_because_they_would_wait_without_end(work: Path):
    """Where torch has threads, of which the child has none."""
    with (
        ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as executor,
        pytest.raises(UsageError, match=r'are forked.*give ProcessPoolExecutor\(mp_context=.*"spawn"'),
    ):
        lst_robust.run(requests(work, work / "no"), executor)
    assert not (work / "no").exists()


@pytest.mark.slow
def test_a_script_that_calls_it_wherever_it_is_imported_is_told_what_to_change(work: Path):
    """Each worker process imports the script."""
    (work / "script.py").write_text(
        "from pathlib import Path\nimport lst_robust\nfrom tests.clusters.work import requests\n"
        "lst_robust.run(requests(Path.cwd(), Path('no'))[0], retries=0, at_once=1)\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=work, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True
    )
    assert done.returncode and b"put that call below `if __name__ ==" in done.stderr


def test_progress_counts_each_cell_once_also_where_tasks_run_in_this_process(work):
    class Counting(Silent):
        starts, steps = 0, 0.0

        def start(self, title, total, done=0):
            self.starts += 1
            self.steps += done

        def advance(self, steps=1, status=""):
            self.steps += steps

    observer = Counting()
    asked = [replace(one, observer=observer) for one in requests(work, work / "threads")]
    with ThreadPoolExecutor(2) as executor:
        lst_robust.run(asked, executor)
    assert (observer.starts, observer.steps) == (1, 2 * COUNT)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"at_once": 0}, "at_once is 0: give a whole number"),
        ({"at_once": 1.5}, "at_once is 1.5: give a whole number"),
        ({"retries": -1}, "retries is -1: give a whole number"),
        ({"threads": -1}, "threads is -1: give a whole number"),
        ({"device": 3}, "device is 3: give a text"),
    ],
)
def test_arguments_that_cannot_be_meant(work, options, says):
    with pytest.raises(UsageError, match=says):
        lst_robust.run(requests(work, work / "none"), **options)
    assert not (work / "none").exists()


def test_work_that_cannot_be_meant(work):
    asked = requests(work, work / "none")
    with pytest.raises(UsageError, match=r"work\[1\] is 'lst18': give what lst_robust.requests_of"):
        lst_robust.run([asked[0], "lst18"])
    with pytest.raises(UsageError, match="work is 'lst18': give a list"):
        lst_robust.run("lst18")
    with pytest.raises(UsageError, match=r"work\[1\] has another results_dir than the first one: make"):
        lst_robust.run([asked[0], replace(asked[1], results_dir=work / "elsewhere")])
