"""Ray as an executor: https://docs.ray.io. The only module that imports it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from lst_robust.errors import LstRobustError, UsageError, message_of


class RayExecutor:
    """Tasks on a Ray cluster. Ray chooses the node, and keeps its worker processes, so that what a task has loaded is
    there for the next one.

    address: of a cluster, such as "auto" or "10.0.0.1:6379"; None: RAY_ADDRESS if that is set, else Ray is started on
    this machine. cpus, gpus: what each task reserves. Raises UsageError when Ray is not installed, LstRobustError when
    the cluster does not answer.
    """

    def __init__(self, address: str | None = None, *, cpus: float = 1, gpus: float = 0) -> None:
        try:
            import ray
        except ImportError as error:
            raise UsageError("Ray is not installed: pip install 'lst-robust[ray]'") from error
        self._ray, self._owns = ray, not ray.is_initialized()
        if self._owns:
            try:
                ray.init(address=address, logging_level=logging.WARNING, log_to_driver=False)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise LstRobustError(
                    f"no Ray cluster at {address or 'this machine'} ({message_of(error)}): start one with `ray start "
                    "--head`, and give its address with --ray-address"
                ) from error
        # No retries of Ray's own: the driver counts them. A worker is not thrown away after a task with a GPU.
        options: dict[str, Any] = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": 0, "max_calls": 0}
        self._call = ray.remote(**options)(_call)
        self._references: dict[Future[Any], Any] = {}

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        reference = self._call.remote(function, *arguments)
        future: Future[Any] = reference.future()
        self._references[future] = reference
        future.add_done_callback(lambda done: self._references.pop(done, None))
        return future

    def cancel(self, futures: Sequence[Future[Any]]) -> None:
        """Ends the tasks, also those that run."""
        for future in futures:
            reference = self._references.get(future)
            if reference is not None:
                self._ray.cancel(reference, force=True)

    def shutdown(self, wait: bool = True) -> None:
        """Leaves the cluster, and ends it where this has started it."""
        if self._owns:
            self._ray.shutdown()

    def __enter__(self) -> RayExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)
