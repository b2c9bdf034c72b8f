"""Processes that are killed at the worst moment, interrupted, or lose a worker: what was finished is never lost."""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import lst_robust.runtime.files
from lst_robust.cli import interruption, main
from lst_robust.corruptions import engine
from lst_robust.records.packed import packed_run
from lst_robust.records.store import PACKED, Store
from lst_robust.records.store import RUN_FILE as RUN_JSON
from lst_robust.runtime.file_lock import file_lock
from lst_robust.training.state import TrainingState
from tests.faults.conftest import ALEXNET, refused
from tests.faults.tally import lost, snapshot
from tests.fixtures.commands import parsed
from tests.fixtures.records import RUN_FILE, records
from tests.generation.conftest import contents

CHEAP = ("--corruptions", "contrast,pixelate,brightness")
EVAL = ("eval", *ALEXNET, "-s", "tiny.yaml", *CHEAP, "-j", "2", "--json", "--results-dir")  # 16 cells
TRAIN = ("train", "-m", "net.py:build", "-s", "tiny.yaml", "--epochs", "3", "-j", "1", "--json", "--out")
CORRUPT = ("corrupt", "--suite", "tiny.yaml", *CHEAP, "-j", "2", "--json", "--format")


NETWORK = """
import torch
from torch import nn

class Unsteady(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.fc = nn.Linear(3, classes)

    def forward(self, x):
        logits = self.fc(x.mean((2, 3)))
        return logits if self.training or x.mean() < 0.6 else logits + float("{value}")

def build(num_classes, image_size):
    return Unsteady(num_classes)
"""


@pytest.fixture
def whole(run, tiny, undisturbed={}) -> dict:  # noqa: B006 - measured once for all tests
    """The numbers of an evaluation that nothing happens to."""
    if not undisturbed:
        undisturbed.update(parsed(run(*EVAL, "whole")))
    return undisturbed


@pytest.fixture
def net(tmp_path) -> None:
    """A network of a few weights, and a suite with room for three epochs of training."""
    (tmp_path / "net.py").write_text(NETWORK.format(value=0))
    suite = tmp_path / "tiny.yaml"
    suite.write_text(
        suite.read_text().replace("max_steps: 2", "max_steps: 200").replace("batch_size: 16", "batch_size: 64")
    )


def process(work: Callable[[], int], log: Path = Path("log")) -> int:
    """Starts `work` in a process of its own, a fork of this one (a new one would first import for seconds); pid."""
    pid = os.fork()
    if pid == 0:
        try:
            faulthandler.disable()  # pytest's, which would speak of crashes that are meant
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os._exit(work())
        except BaseException:
            log.write_text(traceback.format_exc())
            os._exit(99)
    return pid


def ended(pid: int) -> int:
    """Its exit code; that of a signal is negative. One that does not end is killed after a while."""
    overdue = threading.Timer(60, os.kill, (pid, signal.SIGKILL))
    overdue.start()
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        overdue.cancel()


def dying_write(monkeypatch, stage: str, at: int) -> None:
    """From now on the `at`-th file that is written atomically kills the process, at a stage of the writing."""
    count = iter(range(1, 10**9))
    fdopen, fsync, replace = os.fdopen, os.fsync, os.replace

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
            monkeypatch.setattr(os, "replace", die_after(replace) if stage == "in its place" else replace)
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
    run, tiny, whole, monkeypatch, caplog, stage, at, records
):
    with monkeypatch.context() as patched:
        dying_write(patched, stage, at)
        assert ended(process(lambda: run(*EVAL, "killed").exit_code)) == -signal.SIGKILL
    finished = snapshot(Path("killed"))
    assert len(finished) == records + (stage == "in its place" and at == 7)
    assert parsed(run(*EVAL, "killed")) == whole and not caplog.messages
    assert not lost(finished)
    assert len(snapshot(Path("killed"))) == 16
    assert [path.suffix for path in Path("killed").rglob("*.*") if path.suffix in (".json", ".parquet")] == [".parquet"]


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
    count, replace = iter(range(1, 10**9)), os.replace

    def dying(*arguments) -> None:
        now = next(count) == 3
        if now and moment == "before a move":
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*arguments)
        if now:
            os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", dying)
        assert ended(process(lambda: run(*CORRUPT, format, "killed").exit_code)) == -signal.SIGKILL
    refused(run("corrupt", "--verify", "killed"), 3, "killed")
    assert run(*CORRUPT, format, "killed").exit_code == 0
    assert contents(Path("killed")) == contents(Path("whole"))


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


SIGNALS = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "ended by SIGTERM")}


KEPT = "what was finished is kept, the same command goes on from there"


def said_how_to_go_on(stderr: str, signum: signal.Signals) -> bool:
    """Whether the last line says so, and no other line is an error."""
    line = f"error: {SIGNALS[signum][1]}; {KEPT}"
    return stderr.splitlines()[-1] == line and stderr.count("error: ") == 1 and "Traceback" not in stderr


@pytest.mark.parametrize("signum", SIGNALS, ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("name", INTERRUPTED)
def test_ctrl_c_and_sigterm_say_how_to_go_on_and_lose_nothing(run, tiny, net, monkeypatch, name, signum):
    asked, finished = INTERRUPTED[name]
    with monkeypatch.context() as patched:
        patched.setattr("lst_robust.generation.generator.corrupt", slowly(engine.corrupt, 0.1))
        patched.setattr("lst_robust.corruptions.corrupt", slowly(engine.corrupt, 0.1))
        patched.setattr(TrainingState, "step", slowly(TrainingState.step, 0.02))
        pid = process(lambda: said(run, *asked))
        appears(finished)
        os.kill(pid, signum)
        code = ended(pid)
    stderr = Path("stderr").read_text()
    assert code == SIGNALS[signum][0], stderr
    assert said_how_to_go_on(stderr, signum), stderr
    kept = snapshot(Path("out"))
    assert not locked(Path())
    again = run(*asked)
    assert again.exit_code == 0
    if name == "eval":
        assert 0 < len(kept) < 16 and not lost(kept)
    if name == "train":
        assert "going on after epoch" in again.stderr


def appears(pattern: str, count: int = 1) -> None:
    """Waits until so many files are there."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if sum(path.name != RUN_JSON for path in Path().glob(pattern)) >= count:
            return
        time.sleep(0.002)


def locked(folder: Path) -> list[Path]:
    """The locks below a folder that a process holds."""
    held = []
    for lock in folder.rglob(".*.lock"):
        with file_lock(lock, wait=False) as free:
            if not free:
                held.append(lock)
    return held


def stuck_in_c() -> None:
    """Keeps this thread for good, where Python cannot raise."""
    mutex = ctypes.create_string_buffer(64)  # of zeros, which is one that is free
    for _ in range(2):
        ctypes.CDLL(None).pthread_mutex_lock(mutex)


def after_record(monkeypatch, number: int, action: Callable[[], object]) -> None:
    """From now on an evaluation calls this once it has written so many records."""
    count, write = iter(range(1, 10**9)), Store.write

    def writing(store, record):
        path = write(store, record)
        if next(count) == number:
            action()
        return path

    monkeypatch.setattr(Store, "write", writing)


def own_process(monkeypatch, grace: float, *arguments: str) -> int:
    """A command in a process that is its own, as `main` starts it; its pid. What it says goes to the file stderr."""

    def work() -> int:
        os.dup2(os.open("stderr", os.O_WRONLY | os.O_CREAT), sys.__stderr__.fileno())
        sys.stderr = sys.__stderr__
        monkeypatch.setattr(interruption, "GRACE", grace)
        monkeypatch.setattr(sys, "argv", ["lst-robust", *arguments])
        try:
            main()
        except SystemExit as end:
            return end.code
        return 0

    return process(work)


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
    finished = snapshot(Path("out"))
    assert len(finished) == 5 and not locked(Path("out"))
    assert parsed(run(*EVAL, "out")) == whole
    assert not lost(finished)


def test_a_signal_that_comes_twice_at_once_does_not_disturb_the_work_that_ends(run, tiny, monkeypatch):
    """`timeout` sends it to the process and to its group, schedulers to all and torchrun once more."""

    def tidy_up_slowly() -> None:
        try:
            time.sleep(600)
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
    assert len(snapshot(Path("out"))) == 16


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
def test_ctrl_c_that_python_drops_in_a_destructor_stops_the_work_at_its_next_step(run, tiny, whole, monkeypatch):
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
    finished = snapshot(Path("stopped"))
    assert len(finished) == 8, "clean, contrast, and pixelate at severities 1 and 2"
    assert parsed(run(*EVAL, "stopped")) == whole
    assert not lost(finished)


FAILURES = {
    "memory": MemoryError(),
    "code": RuntimeError("a bug\nin two lines"),
    "disk": OSError(5, "Input/output error"),
    "assertion": AssertionError(),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_loader_thread_that_fails_is_one_line_and_no_cell_is_lost(run, tiny, whole, monkeypatch, failure):

    def failing(images, corruption, severity, **options):
        if (corruption, severity) == ("pixelate", 2):
            raise FAILURES[failure]
        return corrupted(images, corruption, severity, **options)

    corrupted = engine.corrupt
    with monkeypatch.context() as patched:
        patched.setattr("lst_robust.corruptions.corrupt", failing)
        result = run(*EVAL, "broken")
    assert result.exit_code == 3 and result.stdout == "" and "Traceback" not in result.stderr
    errors = [line for line in result.stderr.splitlines() if not line.startswith("evaluating")]
    expected = "not enough memory" if failure == "memory" else f"unexpected {type(FAILURES[failure]).__name__}: "
    assert len(errors) == 1 and errors[0].startswith(f"error: {expected}")
    finished = snapshot(Path("broken"))
    assert len(finished) == 7, "clean, contrast, and pixelate at severity 1"
    assert parsed(run(*EVAL, "broken")) == whole
    assert not lost(finished)


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
    finished = snapshot(Path("broken"))
    assert len(finished) == 7
    assert parsed(run(*EVAL, "broken")) == whole
    assert not lost(finished)


@pytest.mark.parametrize("damage", ["truncated", "edited", "emptied", "replaced", "folder"])
def test_a_damaged_record_is_named_and_measured_again_and_the_others_are_not(
    run, tiny, whole, monkeypatch, caplog, damage
):
    with monkeypatch.context() as patched:
        patched.setattr(Store, "pack", lambda *_: None)  # as of a run that is not complete
        assert parsed(run(*EVAL, "results")) == whole
    before = snapshot(Path("results"))
    (path,) = Path("results").rglob("contrast-3.json")
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "edited":
        path.write_text(json.dumps(json.loads(content) | {"top1_error": 0.0}))
    elif damage == "emptied":
        path.write_bytes(b"")
    elif damage == "replaced":
        path.write_bytes((path.parent / "contrast-2.json").read_bytes())
    else:
        path.unlink(), path.mkdir()
    again = run(*EVAL, "results")
    assert len(set(caplog.messages)) == 1 and caplog.messages[0].startswith(f"{path}: ")
    if damage == "folder":  # nothing can be put in its place
        assert again.exit_code == 3 and "contrast-3.json: cannot be written (it is a folder)" in again.stderr
    else:
        assert parsed(again) == whole
    assert not lost({cell: then for cell, then in before.items() if cell[2].name != "contrast-3"})


@pytest.mark.parametrize("damage", ["truncated", "a bit", "emptied", "replaced", "folder"])
def test_a_damaged_file_of_a_run_is_named_and_its_cells_are_measured_again(run, tiny, whole, caplog, damage):
    assert parsed(run(*EVAL, "results")) == whole
    (path,) = Path("results").rglob(PACKED)
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "a bit":
        path.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
    elif damage == "emptied":
        path.write_bytes(b"")
    elif damage == "replaced":
        path.write_bytes(packed_run(RUN_FILE, records()))
    else:
        path.unlink(), path.mkdir()
    assert parsed(run(*EVAL, "results")) == whole
    assert caplog.messages and all(message.startswith(f"{path}: ") for message in caplog.messages)
    caplog.clear()
    finished = snapshot(Path("results"))
    assert len(finished) == 16
    assert parsed(run(*EVAL, "results")) == whole
    assert not lost(finished)
    if damage in ("replaced", "folder"):  # it may be somebody's: the cells stay beside it
        assert len(list(path.parent.glob("*-*.json"))) == 15 and caplog.messages
    else:
        assert [found.name for found in path.parent.iterdir()] == [PACKED] and not caplog.messages


@pytest.mark.parametrize("nan", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_fail_their_cell_by_name_and_the_run_goes_on(run, tiny, tmp_path, nan):
    (tmp_path / "net.py").write_text(NETWORK.format(value=nan))
    asked = ("eval", "-m", "net.py:build", "-s", "tiny.yaml", *CHEAP, "--severities", "1,5", "--json")
    result = run(*asked)
    assert result.exit_code == 3
    summary, last = json.loads(result.stdout), result.stderr.splitlines()[-1]
    assert last == "error: 1 cells failed: brightness-5"
    assert result.stderr.count("warning: ") == 1 and "warning: brightness-5: " in result.stderr
    assert summary["errors"]["brightness"][4] is None and summary["errors"]["pixelate"][4] is not None
    assert len(snapshot(Path("results"))) == 6


SHARED = """
import os, signal, time
from lst_robust.cli import main
from lst_robust.evaluation.measure import _Worker

measure = _Worker._measured
done = iter(range(100))

def slower(self, *arguments):
    if next(done) == 3:
        {action}
    return measure(self, *arguments)

if os.environ["RANK"] == "{rank}":
    _Worker._measured = slower
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
    finished = snapshot(tmp_path / "shared")
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
    finished = snapshot(tmp_path / "shared")
    assert len(finished) == 11
    assert goes_on(run, whole, finished)
