"""Where a network runs and in which precision, with and without a GPU; what is said of a device that fails."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from lst_robust.errors import LstRobustError, UsageError
from lst_robust.runtime import devices
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


CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture
def card(monkeypatch):
    """card(bf16): whether the CUDA device computes in bf16."""
    devices._say_that_bf16_is_missing.cache_clear()
    return lambda bf16: monkeypatch.setattr(devices, "has_bf16", lambda device: bf16)


@pytest.mark.parametrize(
    ("choice", "on_cpu", "on_new_card", "on_old_card"),
    [
        ("auto", None, torch.bfloat16, torch.float16),
        ("yes", torch.bfloat16, torch.bfloat16, torch.float16),
        (True, torch.bfloat16, torch.bfloat16, torch.float16),
        ("bf16", torch.bfloat16, torch.bfloat16, torch.float16),
        ("fp16", torch.float16, torch.float16, torch.float16),
        ("no", None, None, None),
        (False, None, None, None),
    ],
)
def test_the_dtype_of_autocast(card, choice, on_cpu, on_new_card, on_old_card):
    assert devices.amp_dtype(choice, CPU) is on_cpu
    card(True)
    assert devices.amp_dtype(choice, CUDA) is on_new_card
    card(False)
    assert devices.amp_dtype(choice, CUDA) is on_old_card


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_cpu_computes_in_both(dtype):
    with torch.autocast("cpu", dtype=dtype):
        assert torch.nn.Linear(4, 3)(torch.ones(2, 4)).dtype is dtype


def test_a_card_without_bf16_says_once_that_it_takes_fp16(card, caplog):
    card(False)
    for _ in range(3):
        devices.amp_dtype("bf16", CUDA)
    assert caplog.messages == ["cuda:0 is too old for bf16: fp16 is used"]
    devices.amp_dtype("auto", CUDA)
    assert len(caplog.messages) == 1, "nobody asked for bf16"


@pytest.mark.parametrize("choice", ["half", "", None, 1, 16])
def test_other_precisions_are_refused(choice):
    with pytest.raises(UsageError, match=r"amp is .*: choose auto, bf16, fp16 or no"):
        devices.amp_dtype(choice, CPU)


def test_emulated_bf16_does_not_count(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert not devices.has_bf16(CUDA)


LAUNCH = """CUDA error: unspecified launch failure
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
For debugging consider passing CUDA_LAUNCH_BLOCKING=1"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (LAUNCH, "CUDA error: unspecified launch failure"),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        ("NCCL error in: x.cpp:1, unhandled cuda error.", "NCCL error in: x.cpp:1, unhandled cuda error"),
    ],
)
@pytest.mark.parametrize("kind", [RuntimeError, getattr(torch, "AcceleratorError", RuntimeError)])
def test_a_device_that_vanishes_is_one_line(text, reason, kind):
    with pytest.raises(LstRobustError) as raised, devices.device_errors(CUDA, "finished cells are kept"):
        raise kind(text)
    assert str(raised.value) == (
        f"cuda:0 does not answer any more ({reason}): finished cells are kept; start the command again to go on"
    )
    assert raised.value.exit_code == 3


def test_a_card_that_torch_was_not_built_for_is_no_device_that_vanishes():
    message = "no code for cuda:0: install one that supports the card, or use --device cpu"
    with pytest.raises(LstRobustError, match=message), devices.device_errors(CUDA):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        ValueError("CUDA error"),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."),
        RuntimeError("CUDA error: out of memory"),
        torch.distributed.DistBackendError("NCCL error in: x.cpp:1, remote process exited"),
    ],
)
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as raised, devices.device_errors(CUDA):
        raise error
    assert raised.value is error


def test_lack_of_memory_is_known_by_its_kind_or_its_text():
    assert devices.not_enough_memory(torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."))
    assert devices.not_enough_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"))
    assert not devices.not_enough_memory(RuntimeError(LAUNCH))
