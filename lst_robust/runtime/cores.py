"""How many threads are worth starting. Apart from devices.py, so that nothing needs torch for it."""

from __future__ import annotations

import os

from lst_robust.arguments import optional, whole_number

MOST = 10_000  # threads: more only cost memory


def available_cores() -> int:
    """How many cores this process may use, which in a container can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_count(workers: int | None) -> int:
    """So many threads, one a core by default; UsageError for less than one."""
    return optional(whole_number, "workers", workers, least=1, most=MOST) or available_cores()
