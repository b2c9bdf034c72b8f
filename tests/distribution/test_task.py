"""One task: it travels, it may be called any number of times, and it measures only what is missing."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from lst_robust.distribution import release
from lst_robust.distribution.planning import Workers, planned_networks, tasks_of
from lst_robust.distribution.schedule import Refused
from lst_robust.distribution.task import CellsTask, TaskResult, run_task
from lst_robust.errors import DeviceError, LstRobustError, UsageError
from lst_robust.records.store import Store
from tests.clusters.same_results import outcomes
from tests.clusters.slurm import until
from tests.clusters.work import COUNT, finished, requests

NOTHING_WRONG = TaskResult({}, {})


@pytest.fixture
def task(work: Path) -> CellsTask:
    """The first task of both networks, as it arrives at a worker."""
    planned, failed = planned_networks(requests(work, work / "tasks"))
    assert not failed
    made = tasks_of(planned, Workers(2))
    assert sum(len(task.units()) for task, _ in made) == 2 * COUNT
    return pickle.loads(pickle.dumps(made[0][0]))


def of_the_task(task: CellsTask, results: Path) -> dict:
    wanted = {(plan.run.digest, cell.name) for plan, cell in task.units()}
    return {key: record for key, record in outcomes(results).items() if key in wanted}


def test_a_task_without_its_networks_is_small(task):
    assert len(pickle.dumps(task)) < 50_000
    assert all(plan.prepared is None for plan in task.plans)


def test_it_leaves_the_records_of_one_process_and_a_second_call_changes_no_byte(task, undisturbed):
    assert run_task(task) == NOTHING_WRONG
    results = task.plans[0].request.results_dir
    assert outcomes(results) == of_the_task(task, undisturbed) and outcomes(results)
    written = {path: path.read_bytes() for path in results.rglob("*.json")}
    assert run_task(pickle.loads(pickle.dumps(task))) == NOTHING_WRONG
    assert {path: path.read_bytes() for path in results.rglob("*.json")} == written


def test_the_next_task_of_the_same_networks_loads_none_of_them_again(task, monkeypatch):
    first, second = (replace(task, cells=(cell,)) for cell in task.cells[:2])
    assert run_task(first) == NOTHING_WRONG
    monkeypatch.setattr("lst_robust.distribution.task.prepared_again", lambda *_: pytest.fail("a network is loaded"))
    assert run_task(second) == NOTHING_WRONG
    assert first.left([]) is second.left([]) is None


def test_twice_in_two_folders_it_gives_equal_records(task, work):
    again = replace(
        task, plans=tuple(replace(plan, request=replace(plan.request, results_dir=work / "b")) for plan in task.plans)
    )
    assert run_task(task) == run_task(again) == NOTHING_WRONG
    assert outcomes(work / "tasks") == outcomes(work / "b")


def test_where_its_cells_are_there_it_does_nothing(task, work, undisturbed, monkeypatch):
    """Not even a network is loaded."""
    there = replace(
        task, plans=tuple(replace(plan, request=replace(plan.request, results_dir=undisturbed)) for plan in task.plans)
    )
    monkeypatch.setattr("lst_robust.distribution.task._memory", lambda: pytest.fail("something is prepared"))
    assert run_task(there) == NOTHING_WRONG
    assert there.left([]) is None


def test_what_is_left_of_it_is_without_stopped_networks_and_finished_cells(task, work, undisturbed):
    stopped = task.plans[0].run.digest
    left = task.left([stopped])
    assert {plan.run.digest for plan, _ in left.units()} == {plan.run.digest for plan in task.plans[1:]}
    assert task.left([plan.run.digest for plan in task.plans]) is None
    records = Store(undisturbed).load(task.plans[0].run)
    store = Store(work / "tasks")
    store.write(records[task.cells[0]])
    left = task.left([])
    assert (task.plans[0].run.digest, task.cells[0]) not in {(plan.run.digest, cell) for plan, cell in left.units()}
    assert len(left.units()) == len(task.units()) - 1


def test_with_overwrite_the_records_that_were_there_do_not_count_and_those_of_an_earlier_attempt_do(work, undisturbed):
    """So a job that is preempted again and again comes to its end."""
    results = work / "again"
    shutil.copytree(undisturbed, results)
    asked = [replace(one, overwrite=True) for one in requests(work, results)]
    planned, _ = planned_networks(asked)
    [(whole, _)] = tasks_of([planned[0]], Workers(1, most=1))
    assert len(whole.units()) == len(whole.left([]).units()) == COUNT
    first = replace(whole, cells=whole.cells[:2])
    assert run_task(pickle.loads(pickle.dumps(first))) == NOTHING_WRONG
    assert first.left([]) is None and len(whole.left([]).units()) == COUNT - 2
    store, before = Store(results), Store(undisturbed).load(whole.plans[0].run)
    measured = {cell: store.find(whole.plans[0].run, cell).provenance for cell in first.cells}
    assert all(measured[cell] != before[cell].provenance for cell in first.cells)
    assert run_task(first) == NOTHING_WRONG
    assert {cell: store.find(whole.plans[0].run, cell).provenance for cell in first.cells} == measured


def test_a_network_whose_weights_are_not_here_is_for_another_worker_and_the_others_have_their_records(task, work):
    (work / "0.safetensors").rename(work / "0.gone")
    try:
        with pytest.raises(LstRobustError, match=r"cannot be prepared on this worker: .*0\.safetensors") as raised:
            run_task(task)
    finally:
        (work / "0.gone").rename(work / "0.safetensors")
    assert type(raised.value) is LstRobustError, "so the driver tries it again"
    assert len(task.plans) == 2
    assert {run for run, _ in outcomes(work / "tasks")} == {task.plans[1].run.digest}
    assert {plan.run.digest for plan, _ in task.left([]).units()} == {task.plans[0].run.digest}


def test_a_device_that_is_not_here_is_for_another_worker(task):
    with pytest.raises(DeviceError, match=r"cuda:99.* is not here"):
        run_task(replace(task, device="cuda:99"))


def test_an_error_that_it_has_anywhere_is_refused_and_not_raised(task, monkeypatch):
    def refuse(*_):
        raise UsageError("the images have no labels")

    monkeypatch.setattr("lst_robust.distribution.task.measure_together", refuse)
    assert run_task(task) == Refused("the images have no labels")


def test_a_worker_of_another_release_says_which_they_are(task, monkeypatch):
    pickled = pickle.dumps(task)
    monkeypatch.setattr(release, "__version__", "9.9")
    with pytest.raises(LstRobustError, match=r"^this worker has lst-robust 9\.9, and the task was made by") as raised:
        pickle.loads(pickled)
    assert "\n" not in str(raised.value) and "install the same release" in str(raised.value)


@pytest.mark.parametrize("signum", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL])
def test_a_worker_that_is_ended_loses_the_cell_in_hand_and_no_more(task, work, undisturbed, signum):
    (work / "slow").write_text("0.1")
    whole = replace(task, cells=task.plans[0].cells)
    worker = multiprocessing.get_context("spawn").Process(target=run_task, args=(whole,))
    worker.start()
    until(lambda: finished(work / "tasks") >= 4, 90, "some cells are finished")
    os.kill(worker.pid, signum)
    worker.join(20)
    (work / "slow").unlink()
    assert worker.exitcode == -signum
    kept = outcomes(work / "tasks")
    everything = outcomes(undisturbed)
    assert 4 <= len(kept) < len(whole.units())
    assert all(everything[key] == record for key, record in kept.items()), "what is there is whole"
    assert len(whole.left([]).units()) == len(whole.units()) - len(kept)
    files = {path: path.stat().st_mtime_ns for path in (work / "tasks").rglob("*-?.json")}
    left = whole.left([])
    run_task(replace(left, cells=left.cells[:1]))
    assert all(path.stat().st_mtime_ns == at for path, at in files.items()), "nothing is measured twice"
    run_task(whole)
    assert outcomes(work / "tasks") == of_the_task(whole, undisturbed)


def test_a_folder_that_is_not_there_is_the_nodes_error_and_names_it(task, tmp_path):
    with pytest.raises(LstRobustError, match=f"{tmp_path}/nowhere cannot be entered here .*all workers must see"):
        run_task(replace(task, folder=tmp_path / "nowhere"))


def test_its_name_says_which_networks_and_cells(task):
    one = replace(task, plans=task.plans[:1], cells=task.cells[:1])
    name = task.plans[0].run.model.name
    assert str(one) == f"{name} on {task.cells[0].name}"
    assert str(task).startswith(f"{name} and 1 more networks on {task.cells[0].name}")
