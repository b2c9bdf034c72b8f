"""Corrupted tar shards by tasks on real clusters: the bytes of one process, and a worker that is killed meanwhile."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from lst_robust.distribution.engines import Engine
from lst_robust.distribution.shards import generate_shards_on
from lst_robust.generation import CleanShards, cut_of_size, find_tars, generate_shards, settings_for
from tests.clusters.slurm import Slurm, until
from tests.clusters.test_on_ray import workers
from tests.clusters.work import ROOT
from tests.fixtures.files import contents
from tests.fixtures.shards import jpeg, parts, write_tar

COUNT = 48  # images in all cells


@pytest.fixture
def whole(tmp_path, monkeypatch) -> dict[str, bytes]:
    """Three shards of four images, and the set as one process makes it: some seconds of glass blur each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("LST_ROBUST_CORRUPTION_KERNELS", "plain")
    for number, rows in enumerate(parts(range(12), 3)):
        write_tar(Path("wds", f"val-{number:02d}.tar"), [(f"cat/{image}.jpg", jpeg(image)) for image in rows])
    generate_shards(*asked("whole"))
    return contents(Path("whole"))


def asked(folder: str):
    settings = settings_for(format="tar", size=224, corruptions=("glass_blur", "contrast"), severities=(1, 4))
    return CleanShards(find_tars("wds"), cut_of_size(224)), folder, settings


def disturbed(on: Engine, whole: dict[str, bytes], kill: Callable[[], object]) -> None:
    """A worker is killed when the first shard is begun."""
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(generate_shards_on, on, *asked("out"))
        until(lambda: list(Path("out").glob(".unfinished-*")), 90, "a shard is begun")
        kill()
        made = call.result(timeout=150)
    assert (made.written, made.complete, made.failed) == (COUNT, True, {})
    found = contents(Path("out"))
    assert {name: content for name, content in found.items() if not name.startswith(".submitit")} == whole


def kill_one_of_ours() -> None:
    """A worker with a task in hand, which has entered this folder: there may be another Ray on this machine."""

    def ours() -> list[int]:
        found = []
        for pid in workers():
            with suppress(OSError):  # it has ended meanwhile
                found += [pid] if Path(f"/proc/{pid}/cwd").readlink() == Path.cwd() else []
        return found

    until(ours, 30, "a worker has a task in hand")
    os.kill(ours()[0], signal.SIGKILL)


@pytest.mark.slurm
def test_a_job_of_slurm_that_is_killed(whole, slurm: Slurm):
    on = Engine("slurm", at_once=2, threads=1, slurm={"time": "2", "cpus_per_task": "1"})
    disturbed(on, whole, lambda: slurm.says("scancel", "--signal=KILL", *slurm.running()))
    until(lambda: not slurm.queue(), 10, "the last job, whose result is there, has ended")


@pytest.mark.ray
def test_a_worker_of_ray_that_is_killed(whole, ray_cluster, caplog):
    on = Engine("ray", at_once=2, threads=1, ray_address=ray_cluster.address)
    disturbed(on, whole, kill_one_of_ours)
    assert "it is submitted again" in caplog.text
