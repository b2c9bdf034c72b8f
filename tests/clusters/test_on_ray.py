"""Evaluations by tasks on a real Ray cluster of three nodes, undisturbed and disturbed: the records of one process."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from lst_robust.distribution.driver import Driver
from lst_robust.distribution.ray_cluster import RayExecutor
from lst_robust.distribution.run import run
from lst_robust.distribution.schedule import Schedule
from tests.clusters.same_results import differences, outcomes
from tests.clusters.slurm import until
from tests.clusters.work import COUNT, driver, requests, some_are_finished

pytestmark = pytest.mark.ray
AT_ONCE = 3


def workers() -> list[int]:
    """Processes that have a task of ours in hand; another Ray cluster on this machine is not touched."""
    ours = f"RAY_TMPDIR={os.environ['RAY_TMPDIR']}".encode()
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if line.startswith("ray::_call") and ours in environment:
            found.append(int(pid))
    return found


def workers_of(node) -> list[int]:
    """Those of `workers` on this node of the cluster: the children of its raylet."""
    raylet = node.all_processes["raylet"][0].process.pid
    return [pid for pid in workers() if f"\nPPid:\t{raylet}\n" in Path(f"/proc/{pid}/status").read_text()]


def ended_well(process, results: Path, undisturbed: Path, measured: int = 2 * COUNT) -> str:
    said, errors = process.communicate(timeout=150)
    assert process.returncode == 0, errors
    assert said.split()[-1] == str(measured), errors
    assert not differences(results, undisturbed)
    return errors


def all_are_at_work(results: Path) -> None:
    """Each node has a task, so that none can be killed without a loss."""
    until(lambda: len(workers()) == AT_ONCE, 60, "all nodes work")
    some_are_finished(results, 3)
    until(lambda: len(workers()) == AT_ONCE, 10, "all nodes work")


@pytest.fixture
def slow(work: Path):
    (work / "slow").write_text("1")
    return work / "slow"


def test_the_records_are_those_of_one_process(work, ray_cluster, undisturbed):
    with RayExecutor(ray_cluster.address) as executor:
        evaluations = run(requests(work, work / "ray"), executor, at_once=AT_ONCE)
    assert [one.measured for one in evaluations] == [COUNT, COUNT] and not evaluations.failed
    assert not differences(work / "ray", undisturbed)


def test_a_worker_that_is_killed(work, slow, ray_cluster, undisturbed):
    results = work / "ray"
    with driver("ray", results, AT_ONCE, ray_cluster.address) as process:
        all_are_at_work(results)
        os.kill(workers()[0], signal.SIGKILL)
        slow.unlink()
        assert "submitted again" in ended_well(process, results, undisturbed)


def test_a_node_that_is_killed(work, slow, ray_cluster, undisturbed):
    results = work / "ray"
    with driver("ray", results, AT_ONCE, ray_cluster.address) as process:
        all_are_at_work(results)
        node = ray_cluster.worker_nodes.copy().pop()
        [worker] = workers_of(node)
        ray_cluster.remove_node(node, allow_graceful=False)
        until(lambda: worker not in workers(), 30, "the worker of that node has died too, and not ended its task")
        slow.unlink()
        assert "submitted again" in ended_well(process, results, undisturbed)


def test_a_driver_that_is_killed_and_called_again(work, slow, ray_cluster, undisturbed):
    """Ray ends the tasks of a driver that has gone. What they had finished is not measured again."""
    results = work / "ray"
    with driver("ray", results, AT_ONCE, ray_cluster.address) as process:
        some_are_finished(results, 3)
        process.kill()
    before = outcomes(results)
    slow.unlink()
    with driver("ray", results, AT_ONCE, ray_cluster.address) as process:
        said, errors = process.communicate(timeout=150)
    assert process.returncode == 0, errors
    assert int(said.split()[-1]) <= 2 * COUNT - len(before)
    assert not differences(results, undisturbed)


def test_a_network_that_raises_is_left_out_and_the_other_goes_on(work, ray_cluster, undisturbed):
    (work / "raises").touch()
    with RayExecutor(ray_cluster.address) as executor:
        evaluations = run(requests(work, work / "ray"), executor, at_once=AT_ONCE)
    [failed] = evaluations.failed
    assert "out of patience" in failed.reason and "\n" not in failed.reason
    [whole] = [one for one in evaluations if len(one.records) == COUNT]
    assert len(evaluations) <= 2 and whole.measured == COUNT
    assert all("only in" in line and str(undisturbed) in line for line in differences(work / "ray", undisturbed))


def test_a_task_that_raises_is_named_by_its_own_words(ray_cluster):
    """Ray wraps the error of a task into one of its own, whose text is a traceback in colours."""
    with RayExecutor(ray_cluster.address) as executor:
        schedule = Schedule([(0.0, 1.0), (1.0, 2.0)], retries=1)
        Driver(schedule, executor, reciprocal, 2).run()
    assert schedule.failed == [(0.0, "ZeroDivisionError: float division by zero")]
    assert schedule.done == 1 and schedule.resubmitted == 1


def reciprocal(number: float) -> float:
    return 1 / number


def test_a_task_that_fails_on_one_node_is_tried_on_another(ray_cluster):
    """The node that fails is always free first, so that without this most retries would run there."""
    import ray

    with RayExecutor(ray_cluster.address) as executor:
        bad = next(node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU"))
        schedule = Schedule([(bad, 1.0) for _ in range(12)], retries=1)
        nodes = []
        Driver(schedule, executor, node_but_not, AT_ONCE, ended=lambda _, node: nodes.append(node)).run()
    assert not schedule.failed and bad not in nodes and len(nodes) == 12
    assert schedule.resubmitted >= 1, "nothing ran on the node that fails"


def node_but_not(bad: str) -> str:
    """The node's name; OSError on the one that is given, at once, while the others take their time."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    if node == bad:
        raise OSError("no space left on device")
    time.sleep(1)
    return node
