"""Which of torchrun's processes this one is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lst_robust.errors import UsageError
from lst_robust.runtime.rank import is_leader, rank_and_world


@pytest.mark.parametrize(
    ("variables", "found", "leads"),
    [
        ({}, (0, 1), True),
        ({"RANK": "0", "WORLD_SIZE": "4"}, (0, 4), True),
        ({"RANK": "3", "WORLD_SIZE": "4"}, (3, 4), False),
        ({"RANK": "1"}, (0, 1), True),  # of another program: else a command would say nothing at all
        ({"RANK": "1", "WORLD_SIZE": "1"}, (0, 1), True),
    ],
)
def test_torchruns_variables_say_which_process_this_is(monkeypatch, variables, found, leads):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (rank_and_world(), is_leader()) == (found, leads)


@pytest.mark.parametrize(
    "variables", [{"WORLD_SIZE": "two"}, {"WORLD_SIZE": "2", "RANK": "-1"}, {"WORLD_SIZE": "2", "RANK": "2"}]
)
def test_variables_that_cannot_be_meant_are_refused_by_a_process_that_speaks(monkeypatch, variables):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_leader()
    with pytest.raises(UsageError, match="start the ranks with torchrun, or unset"):
        rank_and_world()


def test_it_needs_no_torch():
    code = "import sys, lst_robust.runtime.rank; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
