"""How many threads are worth starting. Apart from devices.py, so that nothing needs torch for it."""

from __future__ import annotations

import os


def available_cores() -> int:
    """How many cores this process may use, which in a container can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
