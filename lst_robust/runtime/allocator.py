"""Keeps freed memory in the process: wide activations are otherwise mapped and unmapped at every step."""

from __future__ import annotations

import ctypes
import sys

# glibc's mallopt parameters, <malloc.h>
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8


def keep_memory_mapped() -> bool:
    """Ask glibc to serve blocks up to 1 GiB from its heap and never to give the heap back; True where it did.

    One heap for all threads: those of their own end at 64 MiB, and larger blocks would be mapped each time.

    Call it before the first step, in a program of its own (it holds for the whole process). It helps every network
    with wide activations on a CPU, LST-Nets most. Linux with glibc only; elsewhere nothing happens. The same by
    environment: MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=-1 MALLOC_ARENA_MAX=1.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # a C library without it
        return False
    settings = {M_MMAP_THRESHOLD: 1 << 30, M_TRIM_THRESHOLD: -1, M_ARENA_MAX: 1}  # -1: never
    return all([mallopt(*setting) for setting in settings.items()])
