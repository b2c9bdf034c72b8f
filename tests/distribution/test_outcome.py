"""What tasks have made of the plans: progress, failures by name, and the records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lst_robust.distribution import outcome
from lst_robust.distribution.outcome import Outcome
from lst_robust.distribution.planning import Workers, planned_networks, tasks_of
from lst_robust.distribution.schedule import Ticket
from lst_robust.distribution.task import TaskResult
from lst_robust.records.store import Store
from tests.clusters.same_results import leftovers
from tests.clusters.work import COUNT, requests


class Shown:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.total = self.done = 0
        self.title = ""

    def start(self, title: str, total: int, done: int = 0) -> None:
        self.title, self.total, self.done = title, total, done

    def advance(self, steps: float = 1, status: str = "") -> None:
        self.done += steps

    def finish(self) -> None: ...


class Case:
    def __init__(self, work: Path) -> None:
        planned, _ = planned_networks(requests(work, work / "tasks"))
        self.plans = [one.plan for one in planned]
        self.tasks = [task for task, _ in tasks_of(planned, Workers(2))]
        self.results, self.shown = work / "tasks", Shown()
        self.store = Store(self.results)
        self.outcome = Outcome(self.plans, self.store, self.shown, retries=0)

    def measured(self, undisturbed: Path, *networks: int) -> None:
        """The records of these networks are there."""
        for number in networks:
            for record in Store(undisturbed).load(self.plans[number].run).values():
                self.store.write(record)


@pytest.fixture
def case(work: Path, monkeypatch) -> Case:
    monkeypatch.setattr(outcome, "VISIBLE", 0.0)  # no record comes later
    return Case(work)


def test_whole_runs_are_packed_and_counted(case, undisturbed):
    case.measured(undisturbed, 0, 1)
    found, failed = case.outcome.evaluations()
    assert [one.measured for one in found] == [COUNT, COUNT] and not failed
    assert [one.run.model.name for one in found] == [plan.run.model.name for plan in case.plans]
    assert not leftovers(case.results)


def test_a_network_that_has_stopped_is_named_once_and_the_other_is_whole(case, undisturbed, caplog):
    case.measured(undisturbed, 1)
    stopped = TaskResult({}, {case.plans[0].run.digest: "the weights have gone"})
    for task in case.tasks:
        case.outcome.end(task, stopped)
    found, failed = case.outcome.evaluations()
    assert [(one.name, one.reason) for one in failed] == [(case.plans[0].run.model.name, "the weights have gone")]
    assert [one.run for one in found] == [case.plans[1].run]
    assert caplog.text.count("the weights have gone; it is left out") == 1


def test_a_network_that_could_not_go_on_is_tried_again_in_whatever_task_before_it_is_left_out(case, caplog):
    """It may have been a worker with less memory than the others."""
    outcome, digest = Outcome(case.plans, case.store, case.shown, retries=2), case.plans[0].run.digest
    outcome.start(len(case.tasks))
    stopped = TaskResult({}, {digest: "CUDA out of memory"})
    task, name = case.tasks[0], case.plans[0].run.model.name
    for _ in range(2):
        assert outcome.end(task, stopped) == f"{name}: CUDA out of memory"
        assert {plan.run.digest for plan, _ in outcome.left(task).units()} == {plan.run.digest for plan in task.plans}
    assert case.shown.done == 0 and "left out" not in caplog.text
    assert outcome.end(task, stopped) is None
    assert "CUDA out of memory; it is left out, and the others go on" in caplog.text
    assert digest not in {plan.run.digest for plan, _ in outcome.left(task).units()}
    assert outcome.end(task, stopped) is None, "of a worker that had it in hand"


def test_one_worker_without_memory_does_not_end_a_network_for_all(case):
    """Tasks that run at the same time may all have been there: each of them is tried elsewhere."""
    outcome, digest = Outcome(case.plans, case.store, case.shown, retries=1), case.plans[0].run.digest
    stopped, tasks = TaskResult({}, {digest: "CUDA out of memory"}), [replace(case.tasks[0]) for _ in range(3)]
    assert all(outcome.end(task, stopped) is not None for task in tasks)
    assert all(digest in {plan.run.digest for plan in outcome.left(task).plans} for task in tasks)
    assert outcome.end(tasks[0], stopped) is None, "the second attempt of this task"


def test_tasks_of_a_network_that_has_stopped_have_nothing_left(case):
    everything = {plan.run.digest: "no" for plan in case.plans}
    case.outcome.start(len(case.tasks))
    case.outcome.end(case.tasks[0], TaskResult({}, everything))
    assert [case.outcome.left(task) for task in case.tasks[1:]] == [None] * (len(case.tasks) - 1)
    assert case.shown.done == case.shown.total == 2 * COUNT


def test_cells_of_a_task_that_nobody_tries_again_have_failed_with_its_reason(case, undisturbed):
    case.measured(undisturbed, 0, 1)
    run, cell = case.plans[0].run, case.tasks[0].cells[0]
    (case.store.run_folder(run) / f"{cell.name}.json").unlink()
    for task in case.tasks:
        case.outcome.fail(task, "the worker process died")
    found, failed = case.outcome.evaluations()
    assert not failed
    assert found[0].failed == {cell: "the worker process died"}, "the others are there, whoever wrote them"
    assert not found[1].failed and found[0].measured == COUNT - 1


def test_a_network_without_any_record_fails_with_the_reason_of_its_first_cell(case, undisturbed):
    case.measured(undisturbed, 0)
    digest, cells = case.plans[1].run.digest, case.tasks[0].cells
    case.outcome.end(case.tasks[0], TaskResult({digest: {cells[0]: "NaN in the output"}}, {}))
    found, failed = case.outcome.evaluations()
    assert [one.run for one in found] == [case.plans[0].run]
    assert [(one.name, one.reason) for one in failed] == [(case.plans[1].run.model.name, "NaN in the output")]


def test_progress_grows_by_the_cells_whose_files_are_there_and_never_twice(case, undisturbed):
    case.outcome.start(len(case.tasks))
    assert "2 networks on tiny" in case.shown.title and (case.shown.total, case.shown.done) == (2 * COUNT, 0)
    tickets = [Ticket(number, task, 1.0) for number, task in enumerate(case.tasks)]
    case.outcome.look(tickets)
    assert case.shown.done == 0
    case.measured(undisturbed, 0)
    for _ in range(2):
        case.outcome.look(tickets)
        assert case.shown.done == COUNT
    for task in case.tasks:
        case.outcome.end(task, TaskResult({}, {}))
    assert case.shown.done == 2 * COUNT


def test_files_that_shall_be_measured_again_are_no_progress(case, undisturbed):
    case.measured(undisturbed, 0, 1)
    again = Outcome([replace(plan) for plan in case.plans], case.store, case.shown)
    again.start(len(case.tasks))
    again.look([Ticket(number, task, 1.0) for number, task in enumerate(case.tasks)])
    assert case.shown.done == 0


def test_cells_that_should_have_been_measured_again_and_were_not_have_failed(case, undisturbed):
    """Their old records are there, and are not shown as new ones."""
    case.measured(undisturbed, 0, 1)
    digest, there = case.plans[0].run.digest, case.store.load(case.plans[0].run)
    replaced = {cell: record.provenance for cell, record in there.items()}
    again = Outcome([replace(case.plans[0], replaced=replaced), case.plans[1]], case.store, case.shown)
    first, second = case.plans[0].missing[:2]
    how = there[first].provenance
    case.store.write(there[first].model_copy(update={"provenance": how.model_copy(update={"seconds": 7.0})}))
    for task in case.tasks:
        again.fail(task, "the worker process died")
    found, failed = again.evaluations()
    assert not failed and found[0].measured == 1 and list(found[0].records) == [first]
    assert found[0].run.digest == digest and found[0].failed[second] == "the worker process died"
    assert len(found[0].failed) == COUNT - 1 and not found[1].failed


def test_records_that_never_appear_are_failures_that_say_so(case):
    """As those of a worker that has a folder of the same name on a disk of its own."""
    for task in case.tasks:
        case.outcome.end(task, TaskResult({}, {}))
    found, failed = case.outcome.evaluations()
    assert not found and len(failed) == 2
    assert all("is not to be seen in" in one.reason and "have the same folder there" in one.reason for one in failed)


def test_records_that_appear_late_are_waited_for(case, undisturbed, monkeypatch):
    """As over NFS, where another machine's file is to be seen some seconds later."""
    monkeypatch.setattr(outcome, "VISIBLE", 600.0)
    naps = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            case.measured(undisturbed, 0, 1)

    monkeypatch.setattr(outcome.time, "sleep", sleep)
    found, failed = case.outcome.evaluations()
    assert [one.measured for one in found] == [COUNT, COUNT] and not failed
    assert naps == [outcome.LOOK] * 3


def test_nobody_waits_for_the_records_of_a_network_that_has_stopped(case, undisturbed, monkeypatch):
    monkeypatch.setattr(outcome, "VISIBLE", 600.0)
    monkeypatch.setattr(outcome.time, "sleep", lambda seconds: pytest.fail("it waits"))
    case.measured(undisturbed, 1)
    case.outcome.end(case.tasks[0], TaskResult({}, {case.plans[0].run.digest: "out of patience"}))
    found, [failed] = case.outcome.evaluations()
    assert len(found) == 1 and failed.reason == "out of patience"
