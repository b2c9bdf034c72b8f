"""Real engines on this machine, each brought up for these tests and brought down again.

Where an engine is not installed, its tests are skipped and say what is missing: Slurm comes by `tools/slurm-cluster
install`, submitit and Ray by the extras `slurm` and `ray`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from lst_robust.workflow import run_requests
from tests.clusters.slurm import PROGRAMS, Slurm, tool
from tests.clusters.work import ROOT, prepare, requests

NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}  # bytes: little more than the least that Ray takes


@pytest.fixture(scope="session")
def slurm_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """Two nodes of two processors each, on their own for this session."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: `tools/slurm-cluster up` does that")
    pytest.importorskip("submitit")
    folder = tmp_path_factory.mktemp("slurm")
    started = tool("up", folder)
    if started.returncode:
        pytest.fail(started.stderr)
    yield Slurm(folder)
    ended = tool("down", folder)
    assert ended.returncode == 0, ended.stderr


@pytest.fixture
def slurm(slurm_cluster: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """The cluster, with SLURM_CONF set and no job on it, before and after the test."""
    monkeypatch.setenv("SLURM_CONF", str(slurm_cluster.configuration))
    yield slurm_cluster
    slurm_cluster.cancel_all()


@pytest.fixture(scope="session")
def started_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """ray.cluster_utils.Cluster with a head, which has no processor for tasks."""
    ray = pytest.importorskip("ray")
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    folder = tmp_path_factory.mktemp("r")  # short: sockets lie far below it
    environment = {"RAY_TMPDIR": folder, "RAY_USAGE_STATS_ENABLED": 0, "PYTHONPATH": ROOT}
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, str(value))
        cluster = cluster_utils.Cluster(
            initialize_head=True, head_node_args=NODE | {"num_cpus": 0, "include_dashboard": False}
        )
        try:
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def ray_cluster(started_ray: Any) -> Iterator[Any]:
    """The cluster with three nodes of one processor each, as Ray counts; nobody is connected to it."""
    import ray

    while len(started_ray.worker_nodes) < 3:
        started_ray.add_node(**NODE)
    yield started_ray
    ray.shutdown()


@pytest.fixture(scope="session")
def shared_work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with networks and suite, and in `one` what one process has measured. The folder's path is in the name
    of the networks, so all engines work in the same one."""
    folder = tmp_path_factory.mktemp("work")
    prepare(folder)
    assert not run_requests(requests(folder, folder / "one")).failed
    return folder


@pytest.fixture
def work(shared_work: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """That folder, as it was before the test."""
    module = import_module("lst_robust.distribution.run")
    monkeypatch.setattr(module, "Workers", partial(module.Workers, least=0.0))  # several tasks, however short they are
    monkeypatch.chdir(shared_work)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    before = set(shared_work.iterdir())
    yield shared_work
    for path in set(shared_work.iterdir()) - before:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@pytest.fixture
def undisturbed(work: Path) -> Path:
    return work / "one"
