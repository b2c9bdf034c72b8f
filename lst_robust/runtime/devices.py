"""Where the network runs, in which precision, and what is said when the device fails."""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import torch
from torch import distributed

from lst_robust.arguments import plain, wrong
from lst_robust.errors import DeviceError, UsageError, message_of

logger = logging.getLogger(__name__)

AMP_CHOICES = ("auto", "bf16", "fp16", "no")
LOST = (  # how errors begin after which a device cannot be used by this process any more
    "CUDA error",
    "CUDA driver error",
    "CUDA unknown error",
    "HIP error",
    "cuDNN error",
    "cuFFT error",
    "NCCL error",
)
FULL = ("CUDA error: out of memory", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED", "cuDNN error: CUDNN_STATUS_ALLOC_FAILED")
NO_CODE = "no kernel image is available"
GROUP_ERRORS = getattr(distributed, "DistError", ())  # some builds of torch have no groups of processes


def resolve_device(name: str | torch.device = "auto") -> torch.device:
    """`auto` is CUDA when there is one, else the CPU. UsageError for other kinds of device, and for one that is not
    here."""
    if isinstance(name, torch.device):
        name = str(name)
    if not isinstance(name, str):
        raise wrong("device", name, "choose auto, cpu, cuda or cuda:N")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(plain(name))
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise UsageError(f"unknown device {name!r}: choose auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"device {name!r} is not here ({torch.cuda.device_count()} CUDA devices): use --device auto")
    return device


def indexed(device: torch.device) -> torch.device:
    """The device with its number: for "cuda" alone, the current CUDA device of the calling thread.

    torch keeps a current CUDA device for each thread. So whoever hands a device to other threads numbers it first, in
    the thread in which `process_group` has chosen one; in the others "cuda" would be the first card.
    """
    if device.type == "cuda" and device.index is None:
        return torch.device(device.type, torch.cuda.current_device())
    return device


def device_name(device: torch.device) -> str:
    """What the device is called: the card's name, or the kind of processor."""
    if device.type != "cuda":
        return f"{device.type} ({platform.machine()})"
    with torch.cuda.device(device):
        return torch.cuda.get_device_name()


def checked_amp(value: object) -> str:
    """A choice that `amp_dtype` knows, as a text: True is "yes", False "no". UsageError for what cannot be meant."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, str) and value in (*AMP_CHOICES, "yes"):
        return plain(value)
    raise wrong("amp", value, f"choose {', '.join(AMP_CHOICES[:-1])} or {AMP_CHOICES[-1]}")


def amp_dtype(choice: str | bool, device: torch.device) -> torch.dtype | None:
    """The dtype in which torch.autocast runs on `device`; None for full precision.

    choice: "auto" is bf16 on CUDA, fp16 on a card that has no bf16, and full precision on a CPU. True or "yes" is the
    same on CUDA, and bf16 on a CPU. "bf16" and "fp16" are themselves, but a card without bf16 takes fp16 and the log
    says so. "no" or False is None. A CPU computes in fp16, too, though slowly. UsageError for anything else.
    """
    if choice is False or choice == "no":
        return None
    if choice == "fp16":
        return torch.float16
    if choice == "auto" and device.type != "cuda":
        return None
    if choice is True or choice in ("auto", "yes"):
        return torch.bfloat16 if device.type != "cuda" or has_bf16(device) else torch.float16
    if choice != "bf16":
        raise wrong("amp", choice, f"choose {', '.join(AMP_CHOICES[:-1])} or {AMP_CHOICES[-1]}")
    if device.type == "cuda" and not has_bf16(device):
        _say_that_bf16_is_missing(device)
        return torch.float16
    return torch.bfloat16


def has_bf16(device: torch.device) -> bool:
    """Whether a CUDA device computes in bf16 itself. Cards before Ampere only emulate it, slowly."""
    with torch.cuda.device(device):
        return torch.cuda.is_bf16_supported(including_emulation=False)


def asynchronous(device: torch.device) -> bool:
    """Whether work on the device runs on while the host goes on, so that each look at a result costs time."""
    return device.type == "cuda"


def free_memory(device: torch.device) -> int:
    """Bytes of a CUDA device's memory that nobody uses; 0 for other devices, where nobody knows."""
    if device.type != "cuda":
        return 0
    with torch.cuda.device(device):  # torch 2.4's mem_get_info refuses a device without a number
        return torch.cuda.mem_get_info()[0]


def sent(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the host on the device; to CUDA it goes without waiting for what is under way there."""
    return (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)


@lru_cache(maxsize=64)  # once for each device
def _say_that_bf16_is_missing(device: torch.device) -> None:
    logger.warning("%s is too old for bf16: fp16 is used", device)


@contextmanager
def device_errors(device: torch.device, kept: str = "what is finished is kept") -> Iterator[None]:
    """Turns the errors of a device that has stopped working into a DeviceError of one line.

    kept: says in the message what is not lost. Lack of memory is raised as it is (see `not_enough_memory`), because a
    caller may know of a smaller batch. The error of a group of processes is raised as it is, too: `process_group` knows
    more of it.
    """
    try:
        yield
    except RuntimeError as error:
        text = message_of(error)
        if isinstance(error, GROUP_ERRORS) or not is_lost(error):
            raise
        if NO_CODE in text:
            raise DeviceError(
                f"this build of torch has no code for {device}: install one that supports the card, or use --device cpu"
            ) from error
        raise DeviceError(
            f"{device} does not answer any more ({first_line(error)}): {kept}; start the command again to go on"
        ) from error


def not_enough_memory(error: BaseException) -> bool:
    """Whether torch's error means that the memory of a CUDA device is used up."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or str(error).startswith(FULL)


def is_lost(error: BaseException) -> bool:
    """Whether torch's error means that a device does not answer any more."""
    return isinstance(error, RuntimeError) and not not_enough_memory(error) and message_of(error).startswith(LOST)


def first_line(error: BaseException) -> str:
    """The first line of an error, without torch's advice for programmers that follows it."""
    return message_of(Exception(str(error).strip().partition("\n")[0].rstrip(".")))
