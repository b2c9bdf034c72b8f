"""A retry avoids the nodes where its task has failed: what the driver asks of an engine with several nodes."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from lst_robust.distribution import breaker, driver
from lst_robust.distribution.driver import Driver, TaskFuture
from tests.distribution.clock import Clock
from tests.distribution.executors import Executor, failing, tasks


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(driver, "WAKE", 0.0)


class Nodes(Executor):
    """An engine that puts each task on the first node that it need not avoid."""

    def __init__(self, nodes: str) -> None:
        super().__init__()
        self.nodes = nodes
        self.avoided: list[tuple[str, str]] = []  # tasks and nodes of submit_elsewhere

    def submit(self, function, *arguments) -> Future:
        return self._on(self.nodes[0], function, arguments[0])

    def submit_elsewhere(self, function, argument, nodes) -> Future:
        self.avoided.append((argument, "".join(nodes)))
        return self._on(next((node for node in self.nodes if node not in nodes), self.nodes[0]), function, argument)

    def _on(self, node: str, function, argument) -> TaskFuture:
        future = TaskFuture()
        future.node = node
        try:
            future.set_result(function((argument, node)))
        except Exception as error:
            future.set_exception(error)
        return future


def on(*bad: str):
    """Work that fails on these nodes."""

    def work(task_and_node: tuple[str, str]) -> str:
        if task_and_node[1] in bad:
            raise OSError("disk full")
        return task_and_node[1]

    return work


def test_a_retry_avoids_the_nodes_where_its_task_has_failed(caplog):
    schedule, executor, nodes = tasks(2, clock=Clock(step=2)), Nodes("abc"), []
    Driver(schedule, executor, on("a", "b"), 1, ended=lambda _, node: nodes.append(node)).run()
    assert nodes == ["c", "c"] and schedule.failed == []
    assert sorted(executor.avoided) == [(task, nodes) for task in ("task 0", "task 1") for nodes in ("a", "ab")]
    assert "task 0: OSError: disk full (on node a); it is submitted again (retry 1)" in caplog.messages


def test_a_network_that_could_not_go_on_avoids_the_node_too():
    schedule, executor = tasks(1, clock=Clock(step=2)), Nodes("ab")
    Driver(schedule, executor, on(), 1, ended=lambda _, node: "no memory" if node == "a" else None).run()
    assert executor.avoided == [("task 0", "a")] and schedule.done == 1


def test_an_engine_of_one_node_gets_retries_as_it_got_the_tasks():
    executor = Executor()
    Driver(tasks(1, clock=Clock(step=2)), executor, failing(1, OSError("disk full")), 1).run()
    assert executor.submitted == ["task 0", "task 0"]


def test_nodes_are_not_avoided_because_all_tasks_have_failed():
    """After an outage of the common disk any node will do."""
    works: list[bool] = []

    def work(task_and_node: tuple[str, str]) -> str:
        if len(works) < breaker.FEWEST + 3:
            works.append(False)
            raise OSError("stale file handle")
        return task_and_node[1]

    schedule, executor = tasks(30, clock=Clock(step=2)), Nodes("ab")
    Driver(schedule, executor, work, 1).run()
    assert schedule.done == 30 and len(executor.avoided) < breaker.FEWEST
