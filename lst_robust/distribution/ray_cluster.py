"""Ray as an executor: https://docs.ray.io. The only module that imports it."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any

from lst_robust.distribution.driver import TaskFuture
from lst_robust.errors import DeviceError, LstRobustError, UsageError, message_of

logger = logging.getLogger(__name__)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # with which Ray writes tracebacks
PORT = re.compile(r"-?\d+", re.ASCII)
ANSWER = 5.0  # seconds in which the head of a cluster must take a connection
NODE = "lst_robust_node"  # attribute of an error: where it was raised
MOMENT = 1.0  # seconds in which a worker that is of no use any more sends its last answer
DEATHS = {  # Ray's exceptions, the more special ones first
    "OutOfMemoryError": "the worker process died: its node has not enough memory",
    "WorkerCrashedError": "the worker process died",
    "NodeDiedError": "the worker process died with its node",
    "LocalRayletDiedError": "the worker process died with its node",
    "OwnerDiedError": "the worker process died with the result in it",
    "ObjectLostError": "the worker process died with the result in it",
    "TaskCancelledError": "it was cancelled",
}


def require_ray() -> Any:
    """The package; UsageError where it is not installed."""
    try:
        import ray
    except ImportError as error:
        raise UsageError("Ray is not installed: pip install 'lst-robust[ray]'") from error
    return ray


def _share_of_cores(nodes: Sequence[Mapping[str, float]], gpus: float) -> int:
    """The cores for a task with so many GPUs, so that a node's cores are enough for all of its GPUs."""
    fitting = [node for node in nodes if gpus and node.get("GPU", 0) >= gpus and node.get("CPU", 0) >= 1]
    shares = [node["CPU"] * gpus / node["GPU"] for node in fitting]
    return max(int(min(shares, default=1)), 1)


def _places(node: Mapping[str, float], cpus: int, gpus: float) -> int:
    """How many tasks of so many cores and GPUs the node can run at a time."""
    by_cores = int(node.get("CPU", 0) / cpus)
    return min(by_cores, int(node.get("GPU", 0) / gpus)) if gpus else by_cores


class RayExecutor:
    """Tasks on a Ray cluster. Ray chooses the node, and keeps its worker processes, so that what a task has loaded is
    there for the next one.

    address: of a cluster, such as "auto" or "10.0.0.1:6379"; None: RAY_ADDRESS if that is set, else Ray is started on
    this machine. cpus, gpus: what each task reserves; cpus None: one, or with gpus their share of a node's cores.
    `places`: how many tasks the cluster can run at a time now.

    Raises UsageError when Ray is not installed, LstRobustError when the cluster does not answer.
    """

    def __init__(self, address: str | None = None, *, cpus: int | None = None, gpus: float = 0) -> None:
        ray = require_ray()
        self._ray, self._owns, self._gpus = ray, not ray.is_initialized(), gpus
        if self._owns:
            _connect(ray, address)
        nodes = [node.get("Resources", {}) for node in ray.nodes() if node.get("Alive")]
        self.cpus = cpus or _share_of_cores(nodes, gpus)
        places = sum(_places(node, self.cpus, gpus) for node in nodes)
        if not places:
            needed = f"CPU cores: {self.cpus}" + (f", GPUs: {gpus:g}" if gpus else "")
            logger.warning(
                "the tasks wait, because no node of this cluster has what one needs (%s): ask for less, or add one",
                needed,
            )
        self.places = max(places, 1)
        # No retries of Ray's own: the driver counts them. A worker is not thrown away after a task with a GPU.
        options: dict[str, Any] = {"num_cpus": self.cpus, "num_gpus": gpus, "max_retries": 0, "max_calls": 0}
        self._call = ray.remote(**options)(_call)
        self._references: dict[Future[Any], Any] = {}

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """A future that raises the task's own error, and where its process died, one that says so."""
        return self._future(self._call.remote(function, *arguments))

    def submit_elsewhere(self, function: Callable[..., Any], argument: Any, nodes: Sequence[str]) -> Future[Any]:
        """The same on another node than these, as long as the cluster has one with so many cores and GPUs."""
        call = self._call
        label = self._label_without(nodes)
        if label is not None:
            with suppress(ImportError, TypeError, ValueError):  # Ray's versions differ
                from ray.util.scheduling_strategies import NodeLabelSchedulingStrategy, NotIn

                call = call.options(scheduling_strategy=NodeLabelSchedulingStrategy({label: NotIn(*nodes)}))
        return self._future(call.remote(function, argument))

    def _label_without(self, nodes: Sequence[str]) -> str | None:
        """Name of the label by which Ray knows its nodes; None where no other node than these could take a task."""
        for node in self._ray.nodes():
            has, name = node.get("Resources", {}), node.get("NodeID")
            room = has.get("CPU", 0) >= self.cpus and has.get("GPU", 0) >= self._gpus
            if node.get("Alive") and room and name not in nodes:
                return next((label for label, value in (node.get("Labels") or {}).items() if value == name), None)
        return None

    def _future(self, reference: Any) -> Future[Any]:
        future = TaskFuture()
        future.set_running_or_notify_cancel()
        self._references[future] = reference
        reference.future().add_done_callback(lambda rays: self._settle(future, rays))
        return future

    def cancel(self, futures: Sequence[Future[Any]]) -> None:
        """Ends the tasks, also those that run."""
        for future in futures:
            reference = self._references.get(future)
            if reference is not None:
                self._ray.cancel(reference, force=True)

    def _settle(self, future: TaskFuture, rays: Future[Any]) -> None:
        """rays: Ray's own future of the same task, which has ended."""
        self._references.pop(future, None)
        try:
            future.node, result = rays.result()
        except BaseException as error:
            own = own_error(error, self._ray.exceptions)
            future.node = getattr(own, "__dict__", {}).get(NODE)
            future.set_exception(own)
        else:
            future.set_result(result)

    def shutdown(self, wait: bool = True) -> None:
        """Leaves the cluster, and ends it where this has started it."""
        if self._owns:
            self._ray.shutdown()

    def __enter__(self) -> RayExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()


def _connect(ray: Any, address: str | None) -> None:
    """Connects to the cluster, or starts one on this machine."""
    named = address or os.environ.get("RAY_ADDRESS", "")
    try:
        _require_listener(named)
        with _own_signals():
            ray.init(address=address, logging_level=logging.WARNING, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        with suppress(Exception):
            ray.shutdown()
        raise LstRobustError(
            f"no Ray cluster at {named or 'this machine'} ({message_of(error)}): start one with `ray start --head`, "
            "and give its address with --ray-address"
        ) from error


def _require_listener(address: str) -> None:
    """OSError where nobody listens at HOST:PORT or ray://HOST:PORT, and ValueError for a port that no machine has: Ray
    would try for minutes. Ray itself says what is wrong with other addresses."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if not host or PORT.fullmatch(port) is None:
        return
    if not 0 < int(port) < 2**16:
        raise ValueError("a port is from 1 to 65535")
    socket.create_connection((host.strip("[]"), int(port)), ANSWER).close()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray puts its own handler in the place of ours for SIGTERM."""
    ours = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if ours is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ours)


def _call(function: Callable[..., Any], *arguments: Any) -> tuple[str, Any]:
    """Runs on a worker. Gives the name of its node, and the result; most errors have that name as an attribute. Ray
    would give further tasks to a process whose device does not answer any more: it ends."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    try:
        return node, function(*arguments)
    except Exception as error:
        with suppress(Exception):  # some do not take attributes
            setattr(error, NODE, node)
        if isinstance(error, DeviceError):
            threading.Timer(MOMENT, os._exit, [1]).start()
        raise


def own_error(error: BaseException, exceptions: Any) -> BaseException:
    """What a task's error is without what Ray puts around it. exceptions: the module `ray.exceptions`.

    Ray wraps the error of a task in one whose text is the worker's traceback, in colours.
    """
    if isinstance(error, exceptions.RayTaskError):
        cause = getattr(error, "cause", None)
        error = cause if isinstance(cause, BaseException) else error
    for name, words in DEATHS.items():
        kind = getattr(exceptions, name, None)  # Ray's versions do not have all of them
        if kind is not None and isinstance(error, kind):
            return LstRobustError(words)
    if isinstance(error, exceptions.RayError):
        lines = [line.strip() for line in COLOUR.sub("", str(error)).splitlines() if line.strip()]
        return LstRobustError(f"Ray: {message_of(Exception(lines[-1] if lines else type(error).__name__))}")
    return error
