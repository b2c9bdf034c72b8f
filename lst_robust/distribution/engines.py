"""The three engines of `--on`: which executor, how many tasks at a time, and what each of them has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from lst_robust.arguments import optional, whole_number, wrong
from lst_robust.distribution.local import LocalExecutor, share_of_cores
from lst_robust.distribution.ray_cluster import RayExecutor, require_ray
from lst_robust.distribution.slurm import require_slurm, slurm_executor
from lst_robust.distribution.slurm_options import GPUS, parameters_of
from lst_robust.errors import UsageError

if TYPE_CHECKING:  # what corrupts needs no networks
    from lst_robust.analysis.evaluation import Evaluations
    from lst_robust.evaluation.request import EvalRequest

ENGINES = ("local", "slurm", "ray")
FOLDER = ".submitit"  # in the folder of the results: what submitit writes, with the logs of jobs
JOBS = 16  # of Slurm at a time, where the number is not given
PROCESSES = 2  # on this machine at a time, where it has no CUDA device and the number is not given
MOST = 100_000


class Place(NamedTuple):
    """An executor, and what those who make tasks must know of it. threads: of each task, 0: one for each core that it
    has, None: as many as were asked for."""

    executor: Any
    at_once: int
    device: str
    threads: int | None


@dataclass(frozen=True)
class Engine:
    """Where tasks run.

    at_once: tasks at a time; gpus: CUDA devices of each. None: what the machine or the cluster has. threads: of each
    task; None: one for each of its cores. device: of the tasks, "auto" is what each one has. slurm: options of sbatch;
    ray_address: of a cluster.
    """

    on: Literal["local", "slurm", "ray"]
    at_once: int | None = None
    gpus: int | None = None
    threads: int | None = None
    device: str = "auto"
    slurm: Mapping[str, str] = field(default_factory=dict)
    ray_address: str | None = None

    def __post_init__(self) -> None:
        """UsageError for what cannot be meant, or is of another engine, or needs a package that is not there."""
        optional(whole_number, "tasks-at-once", self.at_once, least=1, most=MOST)
        optional(whole_number, "gpus-per-worker", self.gpus, least=0)
        if self.on not in ENGINES:
            raise wrong("on", self.on, f"choose {', '.join(ENGINES)}")
        if self.slurm and self.on != "slurm":
            raise UsageError(f"--slurm gives options to Slurm, and the tasks run on {self.on}: leave it out")
        if self.ray_address is not None and self.on != "ray":
            raise UsageError(f"--ray-address is of a Ray cluster, and the tasks run on {self.on}: leave it out")
        if self.ray_address is not None and not self.ray_address.strip():
            raise UsageError("--ray-address is empty: give auto, HOST:PORT or ray://HOST:PORT, or leave it out")
        if self.gpus and self.device == "cpu":
            raise UsageError("--gpus-per-worker reserves CUDA devices, which --device cpu does not use: leave one out")
        _require_own_device(self.device)
        self._check_slurm()
        if self.on == "slurm":
            require_slurm()
        if self.on == "ray":
            require_ray()

    def _check_slurm(self) -> None:
        known, _ = parameters_of(self.slurm)
        if self.gpus is not None and (twice := next((name for name in known if name in GPUS), None)):
            raise UsageError(
                f"--slurm {twice}={known[twice]} and --gpus-per-worker {self.gpus} both say how many GPUs a task has: "
                "give one of them"
            )

    def run(self, requests: Sequence[EvalRequest]) -> Evaluations:
        """`lst_robust.run` on this engine."""
        from lst_robust.distribution.run import run

        with self.opened(requests[0].results_dir) as place:
            return run(requests, place.executor, at_once=place.at_once, device=place.device, threads=place.threads)

    @contextmanager
    def opened(self, folder: Path) -> Iterator[Place]:
        """The executor, until it is left. folder: of the results, which all workers see."""
        place = {"local": self._local, "slurm": self._slurm, "ray": self._ray}[self.on](folder)
        try:
            yield place
        finally:
            place.executor.shutdown(wait=False)

    def _local(self, folder: Path) -> Place:
        devices = self._devices_here()
        if self.gpus and self.gpus > devices:
            raise UsageError(f"--gpus-per-worker {self.gpus}: this machine has {devices} CUDA devices: give fewer")
        gpus = min(1, devices) if self.gpus is None else self.gpus
        at_once = self.at_once or (devices // gpus if gpus else PROCESSES)
        threads = self.threads or share_of_cores(at_once)
        executor = LocalExecutor(at_once, gpus, threads)
        return Place(executor, at_once, self._device(gpus), None if self.threads else threads)

    def _slurm(self, folder: Path) -> Place:
        at_once, gpus = self.at_once or JOBS, self.gpus or 0
        executor = slurm_executor(folder / FOLDER, at_once, gpus, self.slurm)
        return Place(executor, at_once, self._device(gpus), None if self.threads else 0)

    def _ray(self, folder: Path) -> Place:
        gpus = self.gpus or 0
        executor = RayExecutor(self.ray_address, cpus=self.threads, gpus=gpus)
        at_once = self.at_once or executor.places
        return Place(executor, at_once, self._device(gpus), None if self.threads else executor.cpus)

    def _devices_here(self) -> int:
        if self.device == "cpu":
            return 0
        from torch import cuda

        return cuda.device_count()

    def _device(self, gpus: int) -> str:
        """A task that has reserved a CUDA device must not go on without it."""
        return "cuda" if gpus and self.device == "auto" else self.device


def _require_own_device(device: str) -> None:
    """UsageError for a CUDA device by its number: each task sees only those that it has, and counts them from 0."""
    if device.startswith("cuda:") and device != "cuda:0":
        raise UsageError(
            f"--device {device} is one of this machine, and each task has devices of its own: give --device cuda, and "
            "how many with --gpus-per-worker"
        )
