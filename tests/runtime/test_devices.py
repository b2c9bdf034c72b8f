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
    with pytest.raises(UsageError, match=f"{words}: choose auto, cpu, cuda or cuda:N"):
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


@pytest.fixture
def second_of_two(gpus, monkeypatch):
    """Two cards, of which the second is this thread's current one, in a torch that refuses a device without a number
    (2.4 does)."""
    gpus(2)
    current = [1]

    class Current:
        def __init__(self, device: torch.device) -> None:
            self.number = current[0] if device.index is None else device.index

        def __enter__(self) -> None:
            self.before, current[0] = current[0], self.number

        def __exit__(self, *args: object) -> None:
            current[0] = self.before

    def of(device: torch.device | None) -> int:
        if device is None:
            return current[0]
        if device.index is None:
            raise ValueError("Expected a torch.device with a specified index")
        return device.index

    monkeypatch.setattr(torch.cuda, "device", Current)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: current[0])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (1000 + of(device), 5000))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: f"Card {of(device)}")


@pytest.mark.parametrize(("name", "number"), [("cuda", 1), ("cuda:0", 0), ("cuda:1", 1)])
def test_a_device_without_a_number_is_the_current_one(second_of_two, name, number):
    device = torch.device(name)
    assert devices.indexed(device) == torch.device("cuda", number)
    assert devices.free_memory(device) == 1000 + number
    assert devices.device_name(device) == f"Card {number}"
    assert torch.cuda.current_device() == 1


def test_other_devices_have_no_numbers(second_of_two):
    for device in (torch.device("cpu"), torch.device("meta")):
        assert devices.indexed(device) is device and devices.free_memory(device) == 0
    assert devices.device_name(torch.device("cpu")).startswith("cpu (")
