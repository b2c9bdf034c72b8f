"""CUDA multiplies float32 as such. By torch's default its convolutions are of TF32, whose mantissa has 10 bits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


class _Switches:
    """torch's switches are of the whole process. The first thread that needs full precision turns TF32 off, and the
    last one to leave sets them back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._set_back: Callable[[], None] = lambda: None

    def enter(self) -> None:
        with self._lock:
            if not self._users:
                self._set_back = _forbid_tf32()
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._set_back()


_SWITCHES = _Switches()


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Within it CUDA multiplies float32 as such; nothing changes for other devices. Several threads may be in it at the
    same time."""
    if device.type != "cuda":
        yield
        return
    _SWITCHES.enter()
    try:
        yield
    finally:
        _SWITCHES.leave()


def _forbid_tf32() -> Callable[[], None]:
    """Returns what sets the switches back.

    torch has older switches, and newer ones from 2.9 on. The older ones are used where they are enough: a network's own
    code may read them, which torch refuses once a newer one has been set.
    """
    newer = _newer_switches()
    before = [switch.fp32_precision for switch in newer]
    older = _older_values()
    if older is not None:
        _set_older(False, "highest")
    for switch in newer:
        if switch.fp32_precision == "tf32":
            switch.fp32_precision = "ieee"

    def set_back() -> None:
        if older is not None:
            _set_older(*older)
        for switch, value in zip(newer, before, strict=True):  # of which the older ones change some, for CPUs as well
            if switch.fp32_precision != value:
                switch.fp32_precision = value

    return set_back


def _newer_switches() -> list[Any]:
    """Of convolutions, recurrent networks and products on CUDA, and of products on a CPU; none in an older torch."""
    backends: Any = torch.backends
    if not hasattr(backends.cudnn, "conv"):
        return []
    return [backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul, backends.mkldnn.matmul]


def _older_values() -> tuple[bool, str] | None:
    """None where torch refuses to say them, because somebody has set newer switches to something else."""
    try:
        return torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    except RuntimeError:
        return None


def _set_older(convolutions: bool, products: str) -> None:
    torch.backends.cudnn.allow_tf32 = convolutions
    torch.set_float32_matmul_precision(products)
