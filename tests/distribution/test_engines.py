"""Where tasks run: options that cannot be meant, and how many workers with what."""

from __future__ import annotations

import sys

import pytest
import torch

from lst_robust.distribution import local, run
from lst_robust.distribution.engines import Engine
from lst_robust.distribution.local import LocalExecutor
from lst_robust.errors import UsageError


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"on": "kubernetes"}, "choose local, slurm, ray"),
        ({"on": "local", "at_once": 0}, "tasks-at-once"),
        ({"on": "local", "at_once": 1.5}, "tasks-at-once"),
        ({"on": "local", "gpus": -1}, "gpus-per-worker"),
        ({"on": "slurm", "device": "cpu", "gpus": 1}, "which --device cpu does not use"),
        ({"on": "local", "device": "cuda:1"}, "give --device cuda, and how many with --gpus-per-worker"),
        ({"on": "local", "slurm": {"partition": "gpu"}}, "--slurm gives options to Slurm"),
        ({"on": "local", "ray_address": "auto"}, "--ray-address is of a Ray cluster"),
        ({"on": "ray", "ray_address": " "}, "--ray-address is empty: give auto"),
        ({"on": "slurm", "gpus": 1, "slurm": {"gpus-per-node": "2"}}, "both say how many GPUs a task has"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(options, words):
    with pytest.raises(UsageError, match=words):
        Engine(**options)


def test_ray_that_is_not_installed_is_named_with_the_mend(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"^Ray is not installed: pip install 'lst-robust\[ray\]'$"):
        Engine("ray")


@pytest.mark.parametrize(
    ("devices", "options", "place"),
    [
        (0, {}, (2, "auto", 4)),
        (0, {"at_once": 4}, (4, "auto", 2)),
        (0, {"at_once": 16}, (16, "auto", 1)),
        (0, {"threads": 3}, (2, "auto", None)),
        (4, {}, (4, "cuda", 2)),
        (4, {"gpus": 2}, (2, "cuda", 4)),
        (4, {"gpus": 0}, (2, "auto", 4)),
        (4, {"device": "cpu"}, (2, "cpu", 4)),
    ],
)
def test_on_this_machine_cores_and_devices_are_shared_out(monkeypatch, devices, options, place):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: devices)
    monkeypatch.setattr(local, "available_cores", lambda: 8)
    made = Engine("local", **options)._local([])
    assert isinstance(made.executor, LocalExecutor)
    assert (made.at_once, made.device, made.threads) == place


@pytest.mark.parametrize(("threads", "each"), [(None, 4), (0, 8), (3, 3)])
def test_without_an_executor_workers_share_the_cores_unless_their_threads_are_named(monkeypatch, threads, each):
    monkeypatch.setattr(local, "available_cores", lambda: 8)
    assert run._adapted(None, 2, threads)._threads == each


def test_more_devices_than_there_are_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match=r"^--gpus-per-worker 2: this machine has 1 CUDA devices: give fewer$"):
        Engine("local", gpus=2)._local([])
