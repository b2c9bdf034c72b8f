"""Seconds of work on a device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch


def wait_for(device: torch.device) -> None:
    """Returns once the device has done all work that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: torch.device, at_least: float) -> float:
    """The median over calls that together take `at_least` seconds, and are three or more; two calls before them, in
    which tables are made, kernels chosen and memory is taken, do not count."""
    for _ in range(2 if at_least else 1):
        work()
    wait_for(device)
    times: list[float] = []
    while not times or (at_least and (sum(times) < at_least or len(times) < 3)):
        started = time.perf_counter()
        work()
        wait_for(device)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def peak_bytes(device: torch.device) -> int | None:
    """The most memory that torch has held on the device since `forget_peak`; None on a CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
