"""Ctrl-C and SIGTERM at any moment: the command ends soon, says how to go on, and what was finished is never lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lst_robust.corruptions import engine
from lst_robust.records.store import Store
from lst_robust.runtime import interruption
from lst_robust.training.state import TrainingState
from tests.faults.conftest import refused
from tests.faults.tally import Snapshot, lost
from tests.fixtures.commands import parsed
from tests.fixtures.processes import (
    ALEXNET,
    CORRUPT,
    EVAL,
    KEPT,
    SIGNALS,
    TRAIN,
    after_record,
    appears,
    ended,
    locked,
    own_process,
    process,
    said_how_to_go_on,
    stuck_in_c,
)


def said(run, *arguments: str) -> int:
    """Runs a command here, and leaves what it said on stderr in a file."""
    result = run(*arguments)
    Path("stderr").write_text(result.stderr)
    return result.exit_code


def slowly(function, seconds: float):
    def call(*arguments, **options):
        time.sleep(seconds)
        return function(*arguments, **options)

    return call


INTERRUPTED = {
    "eval": ((*EVAL, "out"), "out/**/*.json"),
    "train": ((*TRAIN, "out.safetensors"), "out.resume"),
    "corrupt to a tree": ((*CORRUPT, "tree", "out"), "out/**/*.JPEG"),
    "corrupt to arrays": ((*CORRUPT, "npy", "out"), "out/.unfinished/*.npy"),
}


@pytest.mark.parametrize("signum", SIGNALS, ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("name", INTERRUPTED)
def test_ctrl_c_and_sigterm_say_how_to_go_on_and_lose_nothing(run, tiny, net, monkeypatch, name, signum):
    asked, finished = INTERRUPTED[name]
    with monkeypatch.context() as patched:
        patched.setattr("lst_robust.generation.engines.corrupt", slowly(engine.corrupt, 0.1))
        patched.setattr("lst_robust.corruptions.corrupt", slowly(engine.corrupt, 0.1))
        patched.setattr(TrainingState, "step", slowly(TrainingState.step, 0.02))
        pid = process(lambda: said(run, *asked))
        appears(finished)
        os.kill(pid, signum)
        code = ended(pid)
    stderr = Path("stderr").read_text()
    assert code == SIGNALS[signum][0], stderr
    assert said_how_to_go_on(stderr, signum), stderr
    kept = Snapshot(Path("out"))
    assert not locked(Path())
    again = run(*asked)
    assert again.exit_code == 0
    if name == "eval":
        assert 0 < len(kept) < 16 and not lost(kept)
    if name == "train":
        assert "going on after epoch" in again.stderr


@pytest.mark.parametrize(
    ("sent", "grace"),
    [
        ([signal.SIGTERM], 0.5),
        ([signal.SIGINT], 0.5),
        ([signal.SIGTERM, signal.SIGINT], 600),
        ([signal.SIGINT, signal.SIGTERM], 600),
    ],
    ids=["SIGTERM", "Ctrl-C", "SIGTERM and Ctrl-C", "Ctrl-C and SIGTERM"],
)
def test_where_c_keeps_python_from_ending_it_the_process_exits_after_a_while_or_at_the_second_signal(
    run, tiny, whole, monkeypatch, sent, grace
):
    with monkeypatch.context() as patched:
        after_record(patched, 5, stuck_in_c)
        pid = own_process(patched, grace, *EVAL, "out")
        appears("out/**/*.json", 5)
        os.kill(pid, sent[0])
        for signum in sent[1:]:
            time.sleep(1.5 * interruption.AGAIN)
            os.kill(pid, signum)
        code = ended(pid)
    stderr = Path("stderr").read_text()
    assert code == SIGNALS[sent[-1]][0], stderr
    assert said_how_to_go_on(stderr, sent[-1]), stderr
    finished = Snapshot(Path("out"))
    assert len(finished) == 5 and not locked(Path("out"))
    assert parsed(run(*EVAL, "out")) == whole
    assert not lost(finished)


@pytest.mark.parametrize("call", [Path("called").touch, stuck_in_c], ids=["it ends", "it hangs"])
def test_a_process_that_cannot_come_to_its_next_step_makes_its_last_calls(run, tiny, monkeypatch, call):
    """Such as the one that takes tasks out of Slurm's queue while sbatch does not answer."""

    def stuck() -> None:
        with interruption.last_call(call), interruption.last_call(Path("called").touch):
            stuck_in_c()

    with monkeypatch.context() as patched:
        after_record(patched, 5, stuck)
        pid = own_process(patched, 0.5, *EVAL, "out")
        appears("out/**/*.json", 5)
        os.kill(pid, signal.SIGTERM)
        assert ended(pid) == 143
    assert Path("called").exists()


def test_a_signal_that_comes_twice_at_once_does_not_disturb_the_work_that_ends(run, tiny, monkeypatch):
    """`timeout` sends it to the process and to its group, schedulers to all and torchrun once more."""

    def tidy_up_slowly() -> None:
        try:
            while True:
                interruption.check_interrupted()
                time.sleep(0.01)
        finally:
            time.sleep(0.3)
            Path("tidy").touch()

    with monkeypatch.context() as patched:
        after_record(patched, 5, tidy_up_slowly)
        pid = own_process(patched, 600, *EVAL, "out")
        appears("out/**/*.json", 5)
        for _ in range(3):
            os.kill(pid, signal.SIGTERM)
            time.sleep(0.05)
        assert ended(pid) == 143
    assert said_how_to_go_on(Path("stderr").read_text(), signal.SIGTERM)
    assert Path("tidy").exists()


def test_a_process_that_the_command_forks_ends_alone(run, tiny, monkeypatch):
    """Such as a worker of a loader in the user's own module: a signal to it must not end the command."""

    def fork() -> None:
        pid = os.fork()
        if pid == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(98)
        Path("child").write_text(str(ended(pid)))
        time.sleep(0.5)  # of which the watcher would need a tenth

    with monkeypatch.context() as patched:
        after_record(patched, 5, fork)
        assert ended(own_process(patched, 0.05, *EVAL, "out")) == 0, Path("stderr").read_text()
    assert Path("child").read_text() == str(-signal.SIGTERM)
    assert len(Snapshot(Path("out"))) == 16


@pytest.mark.parametrize("before", [signal.SIG_IGN, lambda *_: Path("theirs").touch()], ids=["ignored", "handled"])
def test_a_signal_that_somebody_else_decides_on_stays_theirs(run, tiny, whole, monkeypatch, before):
    monkeypatch.setattr(interruption.Interruption, "owns_process", True)
    after_record(monkeypatch, 5, lambda: os.kill(os.getpid(), signal.SIGTERM))
    theirs = signal.signal(signal.SIGTERM, before)
    try:
        assert parsed(run(*EVAL, "out")) == whole
        assert signal.getsignal(signal.SIGTERM) == before
    finally:
        signal.signal(signal.SIGTERM, theirs)
    assert Path("theirs").exists() == (before is not signal.SIG_IGN)


@pytest.mark.parametrize("owned", [False, True])
def test_after_a_command_handlers_hook_and_threads_are_as_before(run, monkeypatch, owned):
    def state() -> tuple[object, ...]:
        wakeup = signal.set_wakeup_fd(-1)
        handlers = [signal.getsignal(signum) for signum in SIGNALS]
        return wakeup, *handlers, sys.unraisablehook, threading.active_count(), len(os.listdir("/proc/self/fd"))

    monkeypatch.setattr(interruption.Interruption, "owns_process", owned)
    before = state()
    assert run("suites").exit_code == 0 and run("suites", "nowhere").exit_code != 0
    assert state() == before


def test_in_another_thread_than_the_main_one_a_command_runs_and_leaves_the_signals_alone(run, monkeypatch):
    monkeypatch.setattr(interruption.Interruption, "owns_process", True)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(run, "suites").result().exit_code == 0
    assert [signal.getsignal(signum) for signum in SIGNALS] == [signal.default_int_handler, signal.SIG_DFL]


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")  # nor does it print a traceback
def test_ctrl_c_in_a_destructor_which_drops_errors_stops_the_work_at_its_next_step(run, tiny, whole, monkeypatch):
    class Lock:  # filelock's has a destructor too, which runs after each cell
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    def writing(store, record):
        path = write(store, record)
        if record.cell.name == "pixelate-2":
            Lock()
        return path

    write = Store.write
    with monkeypatch.context() as patched:
        patched.setattr(Store, "write", writing)
        refused(run(*EVAL, "stopped"), 130, "interrupted; what was finished is kept, the same command goes on")
    finished = Snapshot(Path("stopped"))
    assert len(finished) == 8, "clean, contrast, and pixelate at severities 1 and 2"
    assert parsed(run(*EVAL, "stopped")) == whole
    assert not lost(finished)


ANEW = {
    "features": (("features", *ALEXNET, "--images", "4", "--csv", "t.csv", "--json"), "lst_robust.feature_statistics"),
    "report": (("report", "-s", "tiny.yaml", "--out", "page"), "lst_robust.report.write_report"),
}


@pytest.mark.parametrize("signum", SIGNALS, ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("name", ANEW)
def test_a_command_that_starts_anew_says_so(run, tiny, monkeypatch, name, signum):
    asked, work = ANEW[name]

    def ended_in_its_work(*_, **__):
        os.kill(os.getpid(), signum)
        interruption.check_interrupted()

    monkeypatch.setattr(work, ended_in_its_work)
    code, said = SIGNALS[signum]
    assert ended(own_process(monkeypatch, 600, *asked)) == code
    assert Path("stderr").read_text() == f"error: {said}; the same command starts anew\n"
    assert not Path("t.csv").exists()


@pytest.mark.parametrize("signum", SIGNALS, ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("name", ANEW)
def test_a_signal_after_the_last_step_comes_too_late(run, tiny, monkeypatch, name, signum):
    asked, _ = ANEW[name]
    if name == "report":
        monkeypatch.setattr("lst_robust.report.write_report", lambda *_, **__: Path("page/index.html"))
    last = "lst_robust.cli.features._draw" if name == "features" else "lst_robust.cli.report.print_note"
    monkeypatch.setattr(last, lambda *_: os.kill(os.getpid(), signum))
    assert ended(own_process(monkeypatch, 600, *asked)) == 0, Path("stderr").read_text()
    assert "error" not in Path("stderr").read_text()
    assert name == "report" or Path("t.csv").stat().st_size > 500


WHILE_IT_IMPORTS = """
import os, signal, sys

class Slow:
    def find_spec(self, name, *_):
        if name == "{module}":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Slow())
from lst_robust.cli import main
main()
"""


@pytest.mark.parametrize("module", ["typer", "lst_robust.cli.suites", "yaml"])
def test_ctrl_c_while_modules_are_imported_is_no_traceback(module):
    done = subprocess.run(
        [sys.executable, "-c", WHILE_IT_IMPORTS.format(module=module), "suites"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == f"error: interrupted; {KEPT}\n"
