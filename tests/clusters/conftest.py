"""Real engines on this machine, each brought up for these tests and brought down again.

Where an engine is not installed, its tests are skipped and say what is missing. `tools/install-test-programs` and the
extra `cluster` install both.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clusters.slurm import PROGRAMS, Slurm, tool

OBJECT_STORE = 80 * 2**20  # bytes a node, little more than the least that Ray takes


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


@pytest.fixture
def ray_cluster(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """ray.cluster_utils.Cluster of three nodes with one processor each, as Ray counts; nobody is connected to it."""
    ray = pytest.importorskip("ray")
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    folder = Path(tmp_path_factory.mktemp("r"))  # short: a socket lies far below it
    for name, value in {"RAY_TMPDIR": folder, "RAY_USAGE_STATS_ENABLED": 0, "RAY_DEDUP_LOGS": 0}.items():
        monkeypatch.setenv(name, str(value))
    node = {"num_cpus": 1, "object_store_memory": OBJECT_STORE, "include_dashboard": False}
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=node)
    del node["include_dashboard"]
    try:
        for _ in range(2):
            cluster.add_node(**node)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def no_process_is_left() -> Iterator[None]:
    """After the test no process runs that works in its folders."""
    yield
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "ray::" not in found, found
