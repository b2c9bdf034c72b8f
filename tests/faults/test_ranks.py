"""Ranks of torchrun of which one dies or is told to end: the others end too, and no cell is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.tally import Snapshot, lost
from tests.fixtures.commands import parsed
from tests.fixtures.processes import EVAL, KEPT, SIGNALS, appears, locked

pytestmark = pytest.mark.slow

SHARED = """
import os, signal, time
from lst_robust.cli import main
from lst_robust.evaluation.worker import Worker

measured = Worker._measure
done = iter(range(100))

def slower(self, cell, networks):
    if next(done) == 3:
        {action}
    return measured(self, cell, networks)

if os.environ["RANK"] == "{rank}":
    Worker._measure = slower
main()
"""


def torchrun() -> subprocess.Popen:
    """`torchrun --nproc-per-node 2 script.py eval ...` on the cells of EVAL, into the folder shared."""
    call = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "script.py"]
    return subprocess.Popen(
        [sys.executable, *call, *EVAL, "shared"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def said_by_all(process: subprocess.Popen) -> str:
    """What torchrun and its ranks say on stderr; it must end."""
    try:
        return process.communicate(timeout=200)[1]
    finally:
        process.kill()


def goes_on(run, whole: dict, finished: dict) -> bool:
    """Whether the same command measures what is missing, and only that, and ends with the same numbers."""
    return not locked(Path("shared")) and parsed(run(*EVAL, "shared")) == whole and not lost(finished)


def own_lines(stderr: str) -> list[str]:
    """What the ranks say of their end, without torchrun's own log."""
    return [line for line in stderr.splitlines() if line.startswith("error: ")]


def test_a_rank_that_is_killed_ends_the_others_and_no_cell_is_lost(run, tiny, whole, tmp_path):
    """Rank 0 is kept busy until then."""
    script = SHARED.replace('if os.environ["RANK"] == "{rank}":\n    ', "")
    action = "os.kill(os.getpid(), signal.SIGKILL) if os.environ['RANK'] == '1' else time.sleep(600)"
    (tmp_path / "script.py").write_text(script.format(action=action))
    with torchrun() as process:
        stderr = said_by_all(process)
    assert process.returncode != 0 and "SIGKILL" in stderr, stderr
    assert own_lines(stderr) == [f"error: {SIGNALS[signal.SIGTERM][1]}; {KEPT}"], "rank 0 speaks for all"
    finished = Snapshot(tmp_path / "shared")
    assert 3 <= len(finished) < 16
    assert goes_on(run, whole, finished)


def test_sigterm_to_torchrun_ends_its_ranks_and_no_cell_is_lost(run, tiny, whole, tmp_path):
    """Rank 0 is stuck after three cells; rank 1 has measured its eight and waits for rank 0 in C."""
    (tmp_path / "script.py").write_text(SHARED.format(rank=0, action="time.sleep(600)"))
    with torchrun() as process:
        appears("shared/**/*.json", 11)
        process.send_signal(signal.SIGTERM)
        stderr = said_by_all(process)
    assert process.returncode != 0
    assert own_lines(stderr) == [f"error: {SIGNALS[signal.SIGTERM][1]}; {KEPT}"], stderr
    finished = Snapshot(tmp_path / "shared")
    assert len(finished) == 11
    assert goes_on(run, whole, finished)
