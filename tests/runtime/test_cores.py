"""How many threads are worth starting."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lst_robust.errors import UsageError
from lst_robust.runtime.cores import MOST, available_cores, worker_count


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be bound to cores here")
def test_only_the_cores_of_this_process_count():
    code = (
        "import os; from lst_robust.runtime.cores import worker_count;"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(worker_count(None))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"


def test_systems_without_affinity_count_the_machines_cores(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    for found, cores in ((6, 6), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda found=found: found)
        assert available_cores() == cores


def test_a_number_that_is_given_is_taken():
    assert worker_count(3) == 3 and worker_count(MOST) == MOST
    for wrong in (0, MOST + 1, True, 1.0):
        with pytest.raises(UsageError, match=r"^workers is .*: give a whole number"):
            worker_count(wrong)
