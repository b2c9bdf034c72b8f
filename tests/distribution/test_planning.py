"""Plans of networks, and the tasks that are made of them."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from lst_robust.distribution import planning
from lst_robust.distribution.planning import Workers, planned_networks, tasks_of
from lst_robust.errors import LstRobustError
from lst_robust.evaluation.request import EvalRequest
from lst_robust.workflow import run_requests
from tests.clusters.work import COUNT, requests


def units(tasks) -> list[tuple[str, str]]:
    return sorted((plan.run.digest, cell.name) for task, _ in tasks for plan, cell in task.units())


def test_tasks_have_each_missing_cell_once(planned):
    tasks = tasks_of(planned, Workers(3, least=0.0))
    assert len(units(tasks)) == len(set(units(tasks))) == 2 * COUNT
    assert all(seconds > 0 for _, seconds in tasks) and len(tasks) > 3


def test_what_is_there_is_in_no_task(work):
    asked = requests(work, work / "here")
    run_requests([replace(asked[0], corruptions=("fog",))])
    found, _ = planned_networks(asked)
    assert [len(one.seconds) for one in found] == [5, 0]
    assert len(units(tasks_of(found, Workers(3)))) == 2 * COUNT - 5
    run_requests(asked)
    assert tasks_of(planned_networks(asked)[0], Workers(3)) == []


def test_there_are_no_more_tasks_than_the_queue_takes(planned):
    tasks = tasks_of(planned, Workers(16, most=4))
    assert len(tasks) <= 4 and len(units(tasks)) == 2 * COUNT


def test_networks_that_do_not_fit_into_a_workers_memory_are_in_different_tasks(planned, monkeypatch):
    assert any(len(task.plans) == 2 for task, _ in tasks_of(planned, Workers(2)))
    monkeypatch.setattr(planning, "NETWORK_BYTES", planned[0].size.bytes + 1)
    apart = tasks_of(planned, Workers(2))
    assert all(len(task.plans) == 1 for task, _ in apart) and len(units(apart)) == 2 * COUNT


def test_plans_leave_their_networks_behind(planned):
    assert all(one.plan.prepared is None and one.size.macs > 0 and one.size.bytes > 0 for one in planned)


def test_a_plan_that_has_travelled_can_be_given_as_well(planned):
    again, failed = planned_networks([one.plan for one in planned])
    assert not failed and [one.plan.run for one in again] == [one.plan.run for one in planned]
    assert len(units(tasks_of(again, Workers(2)))) == 2 * COUNT


def test_a_network_that_cannot_be_planned_is_named_and_the_others_go_on(work, caplog):
    caplog.set_level(logging.WARNING)
    (work / "broken.py").write_text(
        "def build(num_classes, image_size, weights=''):\n    raise OSError('no weights')\n"
    )
    broken = EvalRequest.of(
        f"{work / 'broken.py'}:build", work / "tiny.yaml", model_options={"weights": "x"}, results_dir=work / "here"
    )
    found, [failed] = planned_networks([broken, *requests(work, work / "here")])
    assert len(found) == 2 and "broken" in failed.name and "no weights" in failed.reason
    assert "it is left out, and the others go on" in caplog.text
    with pytest.raises(LstRobustError, match="no weights"):
        planned_networks([broken])


def test_the_same_network_twice_is_named_once(work):
    asked = requests(work, work / "here")
    found, [failed] = planned_networks([*asked, asked[0]])
    assert len(found) == 2 and "name each network once" in failed.reason
