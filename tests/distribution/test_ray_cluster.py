"""Ray's errors in plain words, and its futures, without a cluster; tests/clusters/test_on_ray.py has one."""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from lst_robust.distribution import ray_cluster
from lst_robust.distribution.driver import Driver
from lst_robust.distribution.ray_cluster import RayExecutor, own_error
from lst_robust.distribution.schedule import Schedule
from lst_robust.errors import DeviceError, LstRobustError, UsageError, reason_of

exceptions = pytest.importorskip("ray.exceptions", reason="Ray is not installed")
TRACE = '\x1b[36mray::_call()\x1b[39m (pid=1, ip=192.0.2.2)\n  File "x.py", line 3, in f\nValueError: no such layer'


def of_a_task(cause: BaseException) -> BaseException:
    """What Ray raises where a task has raised this."""
    return exceptions.RayTaskError("_call", TRACE, cause, "ray::_call", 1, "192.0.2.2").as_instanceof_cause()


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (ValueError("no such layer"), "ValueError: no such layer"),
        (UsageError("there is no device cuda"), "there is no device cuda"),
        (LstRobustError("the disk is full"), "the disk is full"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_of_a_task_is_its_own_error(cause, reason):
    assert "\n" in str(of_a_task(cause)), "Ray's is a traceback"
    error = own_error(of_a_task(cause), exceptions)
    assert type(error) is type(cause) and reason_of(error) == reason


def test_an_error_that_cannot_be_pickled_is_one_line():
    class Own(Exception):
        def __reduce__(self):
            raise TypeError("no pickle")

    said = str(own_error(of_a_task(Own("x")), exceptions))
    assert said == "Ray: ValueError: no such layer"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (exceptions.WorkerCrashedError(), "the worker process died"),
        (exceptions.NodeDiedError("node 1 of 192.0.2.2\nhas gone"), "the worker process died with its node"),
        (exceptions.LocalRayletDiedError(), "the worker process died with its node"),
        (
            exceptions.OutOfMemoryError("killed\n by the monitor"),
            "the worker process died: its node has not enough memory",
        ),
        (exceptions.ObjectLostError("ab", None, ""), "the worker process died with the result in it"),
        (exceptions.TaskCancelledError(), "it was cancelled"),
        (exceptions.RuntimeEnvSetupError("no disk"), "Ray: no disk"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_of_ray_is_one_line_in_plain_words(error, words):
    said = own_error(error, exceptions)
    assert type(said) is LstRobustError and str(said) == words


def test_an_error_that_is_not_rays_stays_as_it_is():
    error = OSError("stale file handle")
    assert own_error(error, exceptions) is error


class Ray(SimpleNamespace):
    """As much of Ray as the executor asks for: it calls at once."""

    def __init__(self) -> None:
        super().__init__(exceptions=exceptions, cancelled=[], ended=False, started=[], placed=[], cluster=["a", "b"])
        self.resources = {"CPU": 2.0}

    def get_runtime_context(self) -> SimpleNamespace:
        return SimpleNamespace(get_node_id=lambda: self.cluster[0])

    def nodes(self) -> list[dict[str, object]]:
        gone = {"NodeID": "gone", "Alive": False, "Resources": {"CPU": 9.0}, "Labels": {"id": "gone"}}
        small = {"NodeID": "small", "Alive": True, "Resources": {}, "Labels": {"id": "small"}}
        return [gone, small] + [
            {"NodeID": name, "Alive": True, "Resources": self.resources, "Labels": {"zone": "1", "id": name}}
            for name in self.cluster
        ]

    def is_initialized(self) -> bool:
        return False

    def init(self, **options: object) -> None:
        self.started.append(options["address"])
        signal.signal(signal.SIGTERM, lambda *_: None)
        if options["address"] == "rubbish":
            raise ValueError("Invalid address format: rubbish.\nTry another")

    def shutdown(self) -> None:
        self.ended = True

    def cancel(self, reference: object, force: bool) -> None:
        self.cancelled.append(reference)

    def remote(self, **options: object):
        def decorate(function):
            def call(*arguments):
                rays: Future = Future()
                if arguments[1] != "stays":
                    try:
                        rays.set_result(function(*arguments))
                    except BaseException as error:
                        rays.set_exception(of_a_task(error))
                return SimpleNamespace(future=lambda: rays)

            def options(*, scheduling_strategy) -> SimpleNamespace:
                [condition] = scheduling_strategy.hard
                self.placed.append((condition.key, condition.operator.values))
                return SimpleNamespace(remote=call)

            return SimpleNamespace(remote=call, options=options)

        return decorate


@pytest.fixture
def ray(monkeypatch) -> Ray:
    made = Ray()
    monkeypatch.setitem(sys.modules, "ray", made)
    return made


def test_its_futures_tell_the_driver_in_the_tasks_own_words(ray):
    with RayExecutor(cpus=2) as executor:
        assert executor.places == 2
        schedule = Schedule([(0, 2.0), (4, 1.0)], retries=0)
        results = []
        Driver(schedule, executor, lambda number: 1 // number, 2, ended=lambda *one: results.append(one)).run()
    assert schedule.failed == [(0, "ZeroDivisionError: integer division or modulo by zero")]
    assert results == [(4, 0)] and ray.ended


def test_it_ends_the_tasks_that_run_and_no_others(ray):
    executor = RayExecutor()
    ended, runs = executor.submit(str, "ends"), executor.submit(str, "stays")
    executor.cancel([ended, runs])
    assert ended.result() == "ends" and len(ray.cancelled) == 1 and not runs.done()


@pytest.mark.parametrize("form", ["{}", "ray://{}"])
def test_where_nobody_listens_ray_is_not_asked(ray, form):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = form.format(f"127.0.0.1:{server.getsockname()[1]}")
        RayExecutor(address)
        assert ray.started == [address]
    begun = time.monotonic()
    with pytest.raises(LstRobustError, match=f"^no Ray cluster at {address} .*start one with `ray start"):
        RayExecutor(address)
    assert ray.started == [address] and time.monotonic() - begun < ray_cluster.ANSWER + 1


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "ray://127.0.0.1:65536", "127.0.0.1:0", "127.0.0.1:-1"])
def test_a_port_that_no_machine_has_is_refused_at_once(ray, address):
    """Ray itself would try for minutes."""
    with pytest.raises(LstRobustError, match=f"^no Ray cluster at {address} .a port is from 1 to 65535.: start one"):
        RayExecutor(address)
    assert ray.started == []


@pytest.mark.parametrize("address", ["auto", "local", "127.0.0.1:", ":6379"])
def test_other_addresses_are_for_ray_to_judge(ray, address):
    RayExecutor(address)
    assert ray.started == [address]


def test_what_ray_says_of_an_address_is_one_line(ray):
    with pytest.raises(LstRobustError, match=r"^no Ray cluster at rubbish \(Invalid address format") as raised:
        RayExecutor("rubbish")
    assert "\n" not in str(raised.value) and ray.ended


def test_the_handler_of_sigterm_stays_ours(ray):
    before = signal.getsignal(signal.SIGTERM)
    RayExecutor()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_worker_whose_device_has_gone_ends_after_its_answer(ray, monkeypatch):
    ended = threading.Event()
    monkeypatch.setattr(ray_cluster, "MOMENT", 0.01)
    monkeypatch.setattr(ray_cluster.os, "_exit", lambda code: ended.set())

    def lost(_: object) -> None:
        raise DeviceError("cuda:0 does not answer")

    assert isinstance(RayExecutor().submit(lost, 1).exception(), DeviceError)
    assert ended.wait(5)


def test_a_future_knows_its_node_however_the_task_ends(ray):
    executor = RayExecutor()
    assert executor.submit(str, "x").node == "a"
    assert executor.submit(int, "x").node == "a"


def test_an_error_that_takes_no_attribute_stays_what_it_is(ray):
    class Frozen(Exception):
        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    def fails(_: object) -> None:
        raise Frozen("no such layer")

    future = RayExecutor().submit(fails, 1)
    assert future.node is None and "no such layer" in reason_of(future.exception())


def test_a_task_avoids_nodes_while_the_cluster_has_another_one_for_it(ray):
    pytest.importorskip("ray.util.scheduling_strategies")
    executor = RayExecutor(cpus=2)
    assert executor.submit_elsewhere(str, 7, ["a"]).result() == "7"
    assert ray.placed == [("id", ["a"])]
    assert executor.submit_elsewhere(str, 7, ["a", "b"]).result() == "7"
    assert len(ray.placed) == 1, "only a node that is gone and one that is too small would be left"


def test_a_task_gets_its_share_of_the_cores_of_a_node_with_gpus(ray):
    """The node without GPUs does not count."""
    ray.resources = {"CPU": 33.0, "GPU": 4.0}
    with RayExecutor(gpus=1) as executor:
        assert (executor.cpus, executor.places) == (8, 8)
    with RayExecutor(gpus=2, cpus=20) as executor:
        assert (executor.cpus, executor.places) == (20, 2)


@pytest.mark.parametrize(("asked", "words"), [({"gpus": 1}, "CPU cores: 1, GPUs: 1"), ({"cpus": 64}, "CPU cores: 64")])
def test_what_no_node_has_is_said(ray, caplog, asked, words):
    with RayExecutor(**asked) as executor:
        assert executor.places == 1
    assert caplog.messages == [
        f"the tasks wait, because no node of this cluster has what one needs ({words}): ask for less, or add one"
    ]
