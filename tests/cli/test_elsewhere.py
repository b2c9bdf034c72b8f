"""`lst-robust eval --on`: what it prints and writes, what it refuses, and Ctrl-C."""

from __future__ import annotations

import json
import logging
import shutil
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from lst_robust.distribution import engines, slurm
from lst_robust.distribution.engines import Place
from tests.clusters.same_results import differences, outcomes
from tests.faults.conftest import refused
from tests.fixtures.commands import command, parsed
from tests.fixtures.processes import ALEXNET, said_how_to_go_on

CELLS = ("--corruptions", "contrast,brightness", "--severities", "1,5")  # with the clean one: 5
EVAL = ("eval", *ALEXNET, "-s", "tiny.yaml", *CELLS, "-j", "1", "--device", "cpu")
LOCAL = ("--on", "local", "--tasks-at-once", "2")
NET = """
import time
from pathlib import Path

import torch
from torch import nn

class Slow(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(10, 3))

    def forward(self, x):
        if Path("slow").exists():
            time.sleep(0.3)
        return x.mean((2, 3)) @ self.weight.T

def build(num_classes, image_size, weights=""):
    return Slow()
"""


def test_tasks_on_this_machine_leave_the_records_of_one_process_and_a_second_call_measures_nothing(run, tiny):
    alone = parsed(run(*EVAL, "--results-dir", "alone", "--json"))
    there = run(*EVAL, "--results-dir", "there", *LOCAL, "--json")
    assert parsed(there) == alone
    assert not differences(Path("there"), Path("alone")) and len(outcomes(Path("there"))) == 5
    files = {path: path.stat().st_mtime_ns for path in Path("there").rglob("*") if path.suffix in {".json", ".parquet"}}
    again = run(*EVAL, "--results-dir", "there", *LOCAL)
    assert again.exit_code == 0 and "alexnet" in again.stdout
    assert files == {path: path.stat().st_mtime_ns for path in files}


def test_what_the_environment_says_of_other_tasks_or_suites_is_ignored(run, tiny):
    variables = {"TASKS_AT_ONCE": "4", "RAY_ADDRESS": "auto", "GPUS_PER_WORKER": "1", "CORRUPTED_DIR": "/nowhere"}
    variables = {f"LST_ROBUST_{name}": value for name, value in variables.items()}
    assert run(*EVAL, "--dry-run", **variables).exit_code == 0
    assert run(*EVAL, "--dry-run", "--on", "local", LST_ROBUST_RAY_ADDRESS="auto").exit_code == 0
    assert run("data", "verify", "digits-c", LST_ROBUST_CORRUPTED_DIR="/nowhere").exit_code == 0
    for option in (["--tasks-at-once", "4"], ["--corrupted-dir", "/nowhere"]):
        assert run(*EVAL, "--dry-run", *option).exit_code == 2


def test_a_dry_run_lists_the_models_and_starts_no_task(run, tiny, monkeypatch):
    monkeypatch.setattr(engines.Engine, "run", lambda *_: pytest.fail("tasks are run"))
    listed = run(*EVAL, *LOCAL, "--dry-run", "--json")
    assert [entry["model"] for entry in parsed(listed)] == ["alexnet"]
    assert not Path("results").exists()


@pytest.mark.parametrize(
    "flag",
    [
        ("--tasks-at-once", "2"),
        ("--tasks-at-once", "0"),
        ("--gpus-per-worker", "1"),
        ("--gpus-per-worker", "0"),
        ("--slurm", "partition=gpu"),
        ("--ray-address", "auto"),
    ],
    ids="=".join,
)
def test_options_of_tasks_without_tasks_are_refused(run, tiny, flag):
    refused(run(*EVAL, *flag), 2, flag[0], "give --on local, slurm or ray as well")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--on", "local", "--tasks-at-once", "0"), ("tasks-at-once", "0", "give a whole number")),
        (("--on", "local", "--gpus-per-worker", "-1"), ("gpus-per-worker", "-1", "give a whole number")),
        (("--on", "local", "--gpus-per-worker", "1"), ("--gpus-per-worker", "--device cpu", "leave one out")),
        (("--on", "local", "--slurm", "nonsense"), ("--slurm 'nonsense'", "give KEY=VALUE, such as partition=gpu")),
        (("--on", "local", "--slurm", "time=9"), ("--slurm gives options to Slurm", "leave it out")),
        (("--on", "local", "--ray-address", "auto"), ("--ray-address is of a Ray cluster", "leave it out")),
        (("--on", "slurm", "--slurm", "time=abc"), ("--slurm time=abc", "give minutes, such as 240")),
        (("--on", "slurm", "--slurm", "nodes=2"), ("--slurm nodes=2", "one process on one node", "leave it out")),
        (("--on", "slurm", "--slurm", "time=1", "--slurm", "time=2"), ("--slurm gives time two values",)),
    ],
    ids=lambda value: "" if value and " " in value[0] else "-".join(value[1:]),
)
def test_bad_values_are_one_line_with_the_mend(run, tiny, options, words):
    refused(run(*EVAL, *options), 2, *words)
    assert not Path("results").exists()


def test_without_ray_the_mend_is_named(run, tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    refused(run(*EVAL, "--on", "ray"), 2, "Ray is not installed: pip install 'lst-robust[ray]'")


def test_without_submitit_the_mend_is_named(run, tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    refused(run(*EVAL, "--on", "slurm"), 2, "submitit is not installed: pip install 'lst-robust[slurm]'")


def test_without_slurm_the_mend_is_named(run, tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", SimpleNamespace())
    monkeypatch.setattr(slurm.shutil, "which", lambda name: None)
    refused(run(*EVAL, "--on", "slurm"), 2, "there is no Slurm here (no sbatch)", "--on local")


class Chatty(ThreadPoolExecutor):
    """Prints on stdout from threads and by a logger, as Ray and submitit do."""

    def __init__(self) -> None:
        super().__init__(1)
        logging.getLogger("submitit").warning("Bypassing sacct error")

    def submit(self, function, /, *arguments):
        print("(raylet) A worker died or was killed")
        return super().submit(self._call, function, *arguments)

    @staticmethod
    def _call(function, *arguments):
        print("\x1b[33m(raylet) Raylet is terminated\x1b[0m", file=sys.stdout)
        return function(*arguments)

    def shutdown(self, wait: bool = True, **options) -> None:
        super().shutdown(wait=True)
        print("(raylet) the last words")


@pytest.mark.parametrize("on", ["slurm", "ray"])
def test_whatever_an_engine_prints_stdout_is_json(run, tiny, monkeypatch, on):
    pytest.importorskip("submitit" if on == "slurm" else "ray")
    monkeypatch.setattr(shutil, "which", lambda name, **_: f"/usr/bin/{name}")
    monkeypatch.setattr(engines.Engine, f"_{on}", lambda *_: Place(Chatty(), 1, "cpu", 1))
    done = run(*EVAL, "--on", on, "--json")
    assert parsed(done)["model"]
    assert done.stdout.count("\n") == json.dumps(parsed(done), indent=2).count("\n") + 1
    assert "(raylet) A worker died" in done.stderr and "(raylet) the last words" in done.stderr


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_the_same_command_goes_on(run, tiny, tmp_path):
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "slow").touch()
    asked = ("eval", "-m", "net.py:build", "--set", "weights=inside", "-s", "tiny.yaml", *CELLS, "-j", "1", "--json")
    asked += ("--device", "cpu", "--on", "local", "--tasks-at-once", "1")
    process = command(*asked, folder=tmp_path)
    deadline = time.monotonic() + 120
    while not [path for path in Path("results").rglob("*.json") if path.name != "run.json"]:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert said == "" and said_how_to_go_on(errors, signal.SIGINT), errors
    kept = outcomes(Path("results"))
    assert 0 < len(kept) < 5
    (tmp_path / "slow").unlink()
    parsed(run(*asked))
    whole = outcomes(Path("results"))
    assert len(whole) == 5 and all(whole[key] == record for key, record in kept.items())
