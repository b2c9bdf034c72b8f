"""Corrupted shards by tasks on processes of this machine: the bytes of one process, whatever happens to the workers."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lst_robust.distribution import engines
from lst_robust.distribution.engines import Engine
from lst_robust.distribution.shard_task import HowShards, ShardsTask
from lst_robust.distribution.shards import _tasks, generate_shards_on
from lst_robust.distribution.slurm import SubmititExecutor
from lst_robust.errors import DeviceError, LstRobustError, UsageError
from lst_robust.generation import (
    CleanShards,
    cut_of_size,
    engine_for_sets,
    find_tars,
    generate_shards,
    settings_for,
    verify_shards,
)
from lst_robust.runtime.file_lock import file_lock
from lst_robust.runtime.progress import Silent
from tests.fixtures.files import contents
from tests.fixtures.shards import jpeg, parts, write_tar

LOCAL = Engine("local", at_once=2, threads=1)
ONE = Engine("local", at_once=1, threads=1)
ROOT = Path(__file__).parents[2]
NAMES = ("val-00.tar", "val-01.tar", "val-02.tar")
CELLS = 4


@pytest.fixture(autouse=True)
def in_a_folder(monkeypatch, tmp_path):
    """Relative paths, as people give them. Nothing is compiled."""
    monkeypatch.setenv("LST_ROBUST_CORRUPTION_KERNELS", "plain")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def wds() -> Path:
    """Three shards of four images."""
    for name, rows in zip(NAMES, parts(range(12), 3), strict=True):
        write_tar(Path("wds", name), [(f"{'cat' if i % 2 else 'dog'}/{i}.jpg", jpeg(i)) for i in rows])
    return Path("wds")


def asked(folder: str | Path, *, size: int = 17, **chosen):
    """The arguments for the set of `wds` in `folder`."""
    chosen = {"corruptions": ("gaussian_noise", "contrast"), "severities": (1, 4), "preset": "cifar"} | chosen
    return CleanShards(find_tars("wds"), cut_of_size(size)), folder, settings_for(format="tar", size=size, **chosen)


@pytest.fixture
def whole(wds) -> dict[str, bytes]:
    """The set as one process makes it."""
    generate_shards(*asked("whole"))
    return contents(Path("whole"))


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def workers() -> list[int]:
    return [process.pid for process in multiprocessing.active_children()]


def test_tasks_make_the_bytes_of_one_process(whole):
    made = generate_shards_on(LOCAL, *asked("out"))
    assert contents(Path("out")) == whole
    assert (made.images, made.cells, made.written, made.kept) == (12, CELLS, 48, 0)
    assert (made.shards, made.all_shards, made.complete, made.failed) == (3, 3, True, {})
    assert verify_shards("out").complete


class NoTasks(Engine):
    def opened(self, folder):
        raise AssertionError("there is nothing to do, and an engine was opened")


class Bar(Silent):
    """What an observer hears."""

    def __init__(self) -> None:
        self.started, self.advanced = [], 0.0

    def start(self, title, total, done=0):
        self.started.append((title, total, done))

    def advance(self, steps=1, status=""):
        self.advanced += steps


def test_only_what_is_missing_is_submitted(whole):
    generate_shards(*asked("out"), share=(1, 3))
    bar = Bar()
    made = generate_shards_on(LOCAL, *asked("out"), observer=bar)
    assert (made.written, made.kept) == (32, 16) and contents(Path("out")) == whole
    assert bar.started == [("corrupting 3 shards in 2 tasks", 3, 1)] and bar.advanced == 2
    again = generate_shards_on(NoTasks("local"), *asked("out"))
    assert (again.written, again.kept, again.complete) == (0, 48, True)

    lost = Path("out", "contrast", "4", NAMES[2])
    lost.unlink()
    again = generate_shards_on(ONE, *asked("out"))
    assert (again.written, again.kept) == (4, 44) and contents(Path("out")) == whole


def test_a_share_is_made_by_tasks_as_well(whole):
    made = generate_shards_on(ONE, *asked("out"), share=(1, 2))
    assert (made.shards, made.images, made.complete) == (1, 4, False)
    assert generate_shards(*asked("out"), share=(0, 2)).complete and contents(Path("out")) == whole


def test_a_device_that_is_not_here_is_for_another_worker(wds):
    """Else the one node whose card does not answer would refuse the shards of all."""
    clean, folder, settings = asked("out")
    how = HowShards(Path(folder), settings, clean.cut, Path.cwd(), engine="torch", device="cuda:99")
    with pytest.raises(DeviceError, match=r"cuda:99.* is not here"):
        ShardsTask(tuple(clean.paths), how)()


def test_two_calls_at_the_same_time_share_the_work(whole):
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(generate_shards_on, LOCAL, *asked("out")), pool.submit(generate_shards, *asked("out"))]
        made = [call.result() for call in calls]
    assert contents(Path("out")) == whole
    assert all(one.complete and one.images == 12 and not one.failed for one in made)


def test_a_worker_that_is_killed_is_replaced(wds, caplog):
    """In the middle of a shard: what it has begun is made again."""
    slow = {"size": 224, "corruptions": ("glass_blur", "contrast")}
    generate_shards(*asked("whole", **slow))
    with ThreadPoolExecutor(1) as pool, caplog.at_level(logging.WARNING, "lst_robust"):
        call = pool.submit(generate_shards_on, ONE, *asked("out", **slow))
        until(lambda: list(Path("out").glob(".unfinished-*")), "a shard is begun")
        [worker] = workers()
        os.kill(worker, signal.SIGKILL)
        made = call.result(timeout=120)
    assert "it is submitted again (retry 1)" in caplog.text
    assert contents(Path("out")) == contents(Path("whole"))
    assert (made.written, made.kept, made.failed) == (48, 0, {})


def test_a_shard_that_is_damaged_is_named_and_the_others_are_made(whole, caplog):
    content = (Path("wds") / NAMES[1]).read_bytes()
    (Path("wds") / NAMES[1]).write_bytes(content[:700])
    made = generate_shards_on(ONE, *asked("out"))
    assert list(made.failed) == [NAMES[1]] and "wds/val-01.tar" in made.failed[NAMES[1]]
    assert (made.written, made.images, made.complete) == (32, 8, False)
    assert f"{NAMES[1]}: " in caplog.text and "it is left out, and the others go on" in caplog.text

    (Path("wds") / NAMES[1]).write_bytes(content)
    made = generate_shards(*asked("out"))
    assert (made.written, made.kept, made.complete) == (16, 32, True) and contents(Path("out")) == whole


def test_a_shard_that_no_retry_can_help_is_tried_once(wds, caplog):
    write_tar(Path("wds", NAMES[1]), [("cat/1.jpg", b"no image"), ("cat/2.jpg", b"nor this")])
    made = generate_shards_on(ONE, *asked("out"), skip_unreadable=True)
    assert (
        list(made.failed) == [NAMES[1]]
        and "none of the 2 images of wds/val-01.tar can be read" in made.failed[NAMES[1]]
    )
    assert "submitted again" not in caplog.text and caplog.text.count(NAMES[1] + ": ") == 1


class EndsAfter(Silent):
    """An observer that ends the call, as Ctrl-C does, when a shard is there."""

    def advance(self, steps=1, status=""):
        raise KeyboardInterrupt


def test_an_interrupted_call_ends_its_workers_and_goes_on(whole):
    last = max(NAMES, key=lambda name: (-Path("wds", name).stat().st_size, name))  # of the shortest tasks the last one
    with file_lock(Path("out", f".{last}.lock"), wait=True):  # it waits for good
        with pytest.raises(KeyboardInterrupt):
            generate_shards_on(ONE, *asked("out"), observer=EndsAfter())
        until(lambda: not workers(), "the workers have ended")
    kept = len(list(Path("out", "manifest-parts").iterdir()))
    assert 1 <= kept < 3
    made = generate_shards(*asked("out"))
    assert made.kept == kept * 16 and contents(Path("out")) == whole


def test_another_set_is_refused_before_any_task(whole):
    for chosen, words in (({"seed": 1}, r"seed 0, not 1"), ({"size": 16}, r"size 17, not 16")):
        with pytest.raises(UsageError, match=f"holds another set \\({words}\\)"):
            generate_shards_on(NoTasks("local"), *asked("whole", **chosen))
    write_tar(Path("wds", NAMES[1]), [("cat/1.jpg", jpeg(1))])
    with pytest.raises(UsageError, match=r"made from a shard val-01\.tar of other bytes"):
        generate_shards_on(NoTasks("local"), *asked("whole"))


def test_a_worker_does_not_mix_engines_or_make_a_set_anew(whole):
    """A node may have another release, or not see the folder."""
    clean, folder, settings = asked("whole")
    task = ShardsTask(tuple(clean.paths), HowShards(Path(folder), settings, clean.cut, Path.cwd(), threads=1))
    assert task.left() is None and pickle.loads(pickle.dumps(task))() == ({},)
    Path("whole", "contrast", "1", NAMES[0]).unlink()
    [left] = task.left().shards
    assert left.name == NAMES[0]
    manifest = Path("whole", "MANIFEST.json")
    manifest.write_text(manifest.read_text().replace('"lst-robust 1"', '"lst-robust 0"'))
    assert "engine lst-robust 0, not lst-robust 1" in task().reason
    manifest.unlink()
    with pytest.raises(LstRobustError, match=r"MANIFEST\.json cannot be read"):
        task()
    assert not manifest.exists()


def test_devices_are_for_the_engine_that_has_them(wds, monkeypatch):
    with pytest.raises(UsageError, match="--gpus-per-worker reserves CUDA devices, and the CPU's engine corrupts"):
        generate_shards_on(Engine("local", gpus=1), *asked("out"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="call this without torchrun"):
        generate_shards_on(LOCAL, *asked("out"))


def test_torchs_engine_is_that_of_the_tasks(wds):
    noise = {"corruptions": ("gaussian_noise",), "severities": (1,)}
    generate_shards(*asked("whole", **noise), engine=engine_for_sets("torch", "cpu", 17, "cifar"))
    here = Engine("local", at_once=1, threads=1, device="cpu")
    generate_shards_on(here, *asked("out", **noise), engine=engine_for_sets("torch", "cpu", 17, "cifar"))
    assert contents(Path("out")) == contents(Path("whole"))
    assert json.loads(Path("out", "MANIFEST.json").read_text())["engine"] == "lst-robust-torch 1"


def test_small_shards_are_bundled_for_a_queue(wds):
    clean, folder, settings = asked("out")
    how = HowShards(Path(folder), settings, clean.cut, Path.cwd())
    one = max(path.stat().st_size for path in clean.paths) * CELLS * 1e-8
    for least, count in ((0.0, 3), (2.2 * one, 2), (9 * one, 1)):
        tasks = _tasks(how, clean.paths, least)
        assert [shard for task, _ in tasks for shard in task.shards] == clean.paths and len(tasks) == count
    assert str(tasks[0][0]) == "val-00.tar and 2 more shards" and tasks[0][1] == pytest.approx(3 * one, rel=0.1)


def test_there_are_no_more_tasks_than_a_queue_takes_at_a_time(wds, monkeypatch):
    """All are then in one array of jobs, of which no more than --tasks-at-once run."""
    clean, folder, settings = asked("out")
    how = HowShards(Path(folder), settings, clean.cut, Path.cwd())
    shards = [Path(f"{n}.tar") for n in range(250)]
    for size in (lambda shard: 10**9, lambda shard: int(shard.stem) ** 3, lambda shard: 0):
        monkeypatch.setattr("lst_robust.distribution.shards._size", size)
        tasks = _tasks(how, shards, 60.0, 100)
        assert len(tasks) <= 100 and [shard for task, _ in tasks for shard in task.shards] == shards
    monkeypatch.setattr("lst_robust.distribution.shards._size", lambda shard: 10**10)
    assert len(_tasks(how, shards, 60.0, 1000)) == 250


def test_tasks_through_submitit(whole, monkeypatch):
    """As Slurm has them, in processes of this machine."""
    submitit = pytest.importorskip("submitit")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(engines, "require_slurm", lambda: submitit)
    monkeypatch.setattr(
        engines, "slurm_executor", lambda folder, *_: SubmititExecutor(submitit.LocalExecutor(folder / "%j"))
    )
    made = generate_shards_on(Engine("slurm", threads=1), *asked("out"))
    assert (made.written, made.complete, made.failed) == (48, True, {})
    found = {name: content for name, content in contents(Path("out")).items() if not name.startswith(".submitit")}
    assert found == whole


def test_tasks_for_the_cpu_need_no_torch():
    """Each worker would wait for it, and hold it in memory."""
    code = "import sys, lst_robust.distribution.shards; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
