"""CUDA multiplies float32 as such. By torch's default its convolutions are of TF32, whose mantissa has 10 bits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
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
    """Returns what sets the switches back."""
    cudnn: Any = torch.backends.cudnn
    try:
        convolutions, products = cudnn.allow_tf32, torch.get_float32_matmul_precision()
    except RuntimeError:  # somebody has set torch's newer switches, and then it refuses to read the older ones
        switches = (cudnn.conv, cudnn.rnn, torch.backends.cuda.matmul)
        before = [switch.fp32_precision for switch in switches]

        def set_newer(values: Sequence[str]) -> None:
            for switch, value in zip(switches, values, strict=True):
                switch.fp32_precision = value

        set_newer(["ieee"] * len(switches))
        return lambda: set_newer(before)

    def set_older(convolutions: bool, products: str) -> None:
        cudnn.allow_tf32 = convolutions
        torch.set_float32_matmul_precision(products)

    set_older(False, "highest")
    return lambda: set_older(convolutions, products)
