"""Processes that are killed at the worst moment: what was finished is never lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import lst_robust.runtime.files
from lst_robust.corruptions import engine
from tests.faults.conftest import refused
from tests.faults.tally import Snapshot, lost
from tests.fixtures.commands import parsed
from tests.fixtures.files import contents
from tests.fixtures.processes import CORRUPT, EVAL, TRAIN, ended, process


def dying_write(monkeypatch, stage: str, at: int) -> None:
    """From now on the `at`-th file that is written atomically kills the process, at a stage of the writing."""
    count = iter(range(1, 10**9))
    fdopen, fsync, replace, link = os.fdopen, os.fsync, os.replace, os.link

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    class Half:
        """A file of which only the first half arrives."""

        def __init__(self, file) -> None:
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_) -> None: ...

        def write(self, content: bytes) -> None:
            self.file.write(content[: len(content) // 2])
            self.file.flush()
            die()

    def opened(descriptor, mode):
        number = next(count)
        if stage == "half written":
            return Half(fdopen(descriptor, mode)) if number == at else fdopen(descriptor, mode)
        if number == at:
            monkeypatch.setattr(os, "fsync", die_after(fsync) if stage == "flushed" else fsync)
            for name, move in (("replace", replace), ("link", link)):  # a packed run gets its name by a link
                monkeypatch.setattr(os, name, die_after(move) if stage == "in its place" else move)
            if stage == "opened":
                die()
        return fdopen(descriptor, mode)

    def die_after(function):
        def call(*arguments):
            function(*arguments)
            die()

        return call

    monkeypatch.setattr(lst_robust.runtime.files.os, "fdopen", opened)


STAGES = ("opened", "half written", "flushed", "in its place")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("at", "records"), [(1, 0), (7, 5), (18, 16)], ids=["the run's file", "the sixth record", "the packed run"]
)
def test_killed_while_it_writes_it_goes_on_and_ends_with_the_same_numbers(
    run, tiny, whole, monkeypatch, stage, at, records
):
    with monkeypatch.context() as patched:
        dying_write(patched, stage, at)
        assert ended(process(lambda: run(*EVAL, "killed").exit_code)) == -signal.SIGKILL
    finished = Snapshot(Path("killed"))
    assert len(finished) == records + (stage == "in its place" and at == 7)
    resumed = run(*EVAL, "killed")
    assert parsed(resumed) == whole and "warning" not in resumed.stderr
    assert not lost(finished)
    assert len(Snapshot(Path("killed"))) == 16


@pytest.mark.parametrize("stage", STAGES[1::2])
@pytest.mark.parametrize("at", [2, 4, 5], ids=["an epoch", "the log", "the checkpoint"])
def test_killed_while_it_writes_a_training_it_ends_with_the_same_weights(run, tiny, net, monkeypatch, stage, at):
    """Files in their order: three epochs' states, the log, the checkpoint."""
    whole = parsed(run(*TRAIN, "whole.safetensors"))
    with monkeypatch.context() as patched:
        dying_write(patched, stage, at)
        assert ended(process(lambda: run(*TRAIN, "killed.safetensors").exit_code)) == -signal.SIGKILL
    assert Path("killed.safetensors").exists() == (at == 5 and stage == "in its place")
    assert parsed(run(*TRAIN, "killed.safetensors"))["sha256"] == whole["sha256"]


@pytest.mark.parametrize("format", ["tree", "npy"])
@pytest.mark.parametrize("moment", ["before a move", "after a move"])
def test_killed_while_it_moves_a_file_to_its_place_a_set_ends_with_the_same_bytes(
    run, tiny, monkeypatch, format, moment
):
    run(*CORRUPT, format, "whole")
    moved, replace = [], os.replace

    def dying(source: Path, target: Path) -> None:
        if len(moved) == 2 and moment == "before a move":
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)  # refused where the folder is missing: it is made then, and the move tried again
        moved.append(target)
        if len(moved) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", dying)
        assert ended(process(lambda: run(*CORRUPT, format, "killed").exit_code)) == -signal.SIGKILL
    refused(run("corrupt", "--verify", "killed"), 3, "killed")
    assert run(*CORRUPT, format, "killed").exit_code == 0
    assert contents(Path("killed")) == contents(Path("whole"))


@pytest.mark.parametrize("how", ["exit", "abort", "segfault"])
def test_a_worker_that_takes_the_process_with_it_loses_no_cell(run, tiny, whole, monkeypatch, how):
    ends = {"exit": lambda: os._exit(9), "abort": os.abort, "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV)}

    def dying(images, corruption, severity, **options):
        if (corruption, severity) == ("pixelate", 2):
            ends[how]()
        return corrupted(images, corruption, severity, **options)

    corrupted = engine.corrupt
    with monkeypatch.context() as patched:
        patched.setattr("lst_robust.corruptions.corrupt", dying)
        code = ended(process(lambda: run(*EVAL, "broken").exit_code))
    assert code == {"exit": 9, "abort": -signal.SIGABRT, "segfault": -signal.SIGSEGV}[how]
    finished = Snapshot(Path("broken"))
    assert len(finished) == 7
    assert parsed(run(*EVAL, "broken")) == whole
    assert not lost(finished)
