"""Memory that stays in the process: what glibc is asked for, and what happens elsewhere."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

from lst_robust.runtime.allocator import keep_memory_mapped

FAULTS = """
import ctypes, resource, sys
from lst_robust.runtime.allocator import keep_memory_mapped
if sys.argv[1] == "keep":
    assert keep_memory_mapped()
malloc, free = ctypes.CDLL(None).malloc, ctypes.CDLL(None).free
malloc.restype, malloc.argtypes, free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def step():
    block = malloc(64 << 20)
    ctypes.memset(block, 1, 64 << 20)
    free(block)
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator is meant")
def test_memory_that_is_freed_is_used_again_without_page_faults():
    """Five blocks of 64 MiB, each touched and freed: mapped anew each time, or taken from the heap."""
    faults = {
        how: int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, check=True).stdout)
        for how in ("keep", "leave")
    }
    assert faults["keep"] < faults["leave"] / 5


def test_nothing_happens_where_there_is_no_glibc(monkeypatch):
    def unexpected(*_: object) -> None:
        raise AssertionError("the C library was asked")

    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "darwin")
        patch.setattr(ctypes, "CDLL", unexpected)
        assert keep_memory_mapped() is False
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())  # a C library without mallopt
    assert keep_memory_mapped() is False
