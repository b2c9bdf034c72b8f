"""Where a network runs: the names of devices, with and without a GPU."""

from __future__ import annotations

import pytest
import torch

from lst_robust.errors import UsageError
from lst_robust.runtime.devices import resolve_device


@pytest.fixture
def gpus(monkeypatch):
    """gpus(n): torch says that so many CUDA devices are here."""

    def pretend(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


def test_auto_is_the_gpu_where_there_is_one(gpus):
    gpus(0)
    assert resolve_device() == torch.device("cpu")
    gpus(2)
    assert resolve_device("auto") == torch.device("cuda")


def test_a_device_may_be_a_name_or_torchs_own(gpus):
    gpus(2)
    assert resolve_device("cuda:1") == resolve_device(torch.device("cuda", 1)) == torch.device("cuda:1")
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("count", "name"), [(0, "cuda"), (0, "cuda:0"), (2, "cuda:2")])
def test_a_gpu_that_is_not_here_is_refused(gpus, count, name):
    gpus(count)
    with pytest.raises(UsageError, match=rf"'{name}' is not here \({count} CUDA devices\): use --device auto"):
        resolve_device(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [("gpu", "unknown device 'gpu'"), ("meta", "unknown device 'meta'"), ("", "unknown device ''"), (0, "device is 0")],
)
def test_what_is_no_device_is_refused(name, words):
    with pytest.raises(UsageError, match=f"{words}: choose auto, cpu, cuda or cuda:<number>"):
        resolve_device(name)
