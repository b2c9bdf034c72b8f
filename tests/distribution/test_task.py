"""One task: it travels, it may be called any number of times, and it measures only what is missing."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from lst_robust.distribution.planning import Workers, planned_networks, tasks_of
from lst_robust.distribution.schedule import Refused
from lst_robust.distribution.task import CellsTask, TaskResult, run_task
from lst_robust.errors import LstRobustError
from lst_robust.records.store import Store
from tests.clusters.same_results import outcomes
from tests.clusters.work import COUNT, requests

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


def test_a_cell_that_shall_be_measured_again_is_never_there(task, undisturbed):
    plans = [
        replace(plan, request=replace(plan.request, results_dir=undisturbed, overwrite=True)) for plan in task.plans
    ]
    assert len(replace(task, plans=tuple(plans)).left([]).units()) == len(task.units())


def test_a_network_whose_weights_have_gone_is_stopped_and_the_others_go_on(task, work):
    (work / "0.safetensors").rename(work / "0.gone")
    try:
        result = run_task(task)
    finally:
        (work / "0.gone").rename(work / "0.safetensors")
    assert len(task.plans) == 2
    [(digest, reason)] = result.stopped.items()
    assert digest == task.plans[0].run.digest and "0.safetensors" in reason
    assert {run for run, _ in outcomes(work / "tasks")} == {task.plans[1].run.digest}


def test_an_error_that_it_has_anywhere_is_refused_and_not_raised(task, monkeypatch):
    from lst_robust.errors import UsageError

    def refuse(name):
        raise UsageError(f"there is no device {name}")

    monkeypatch.setattr("lst_robust.distribution.task.resolve_device", refuse)
    assert run_task(replace(task, device="cuda")) == Refused("there is no device cuda")


def test_a_folder_that_is_not_there_is_the_nodes_error_and_names_it(task, tmp_path):
    with pytest.raises(LstRobustError, match=f"{tmp_path}/nowhere cannot be entered here .*all workers must see"):
        run_task(replace(task, folder=tmp_path / "nowhere"))


def test_its_name_says_which_networks_and_cells(task):
    one = replace(task, plans=task.plans[:1], cells=task.cells[:1])
    name = task.plans[0].run.model.name
    assert str(one) == f"{name} on {task.cells[0].name}"
    assert str(task).startswith(f"{name} and 1 more networks on {task.cells[0].name}")
