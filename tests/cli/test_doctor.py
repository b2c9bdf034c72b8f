"""`lst-robust doctor`."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from lst_robust.diagnosis import checks


def test_each_thing_has_one_line(run):
    result = run("doctor")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "note"}
    names = [line[6:26].strip() for line in lines]
    for name in ("Python", "torch", "numpy", "C++ compiler", "LST kernels", "cache", "extra ray", "published weights"):
        assert names.count(name) == 1
    assert result.stderr == "Everything that is needed is here.\n"


def test_json(run):
    document = json.loads(run("doctor", "--json").stdout)
    assert document["ok"] is True
    assert {finding["state"] for finding in document["findings"]} <= {"ok", "note"}
    assert set(document["findings"][0]) == {"what", "state", "text", "mend"}


def test_what_is_needed_and_broken_is_exit_code_3(run):
    result = run("doctor", LST_ROBUST_DATA_DIR="/no/such/folder")
    assert result.exit_code == 3
    assert any(
        line.startswith("fault images ") and "To do: put the images there" in line
        for line in result.stdout.splitlines()
    )
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: 1 of ") and line.endswith(" broken, first: images")
    assert json.loads(run("doctor", "--json", LST_ROBUST_DATA_DIR="/no/such/folder").stdout)["ok"] is False


def test_a_check_that_fails_does_not_end_the_others(run, monkeypatch):
    def broken():
        raise ImportError("libGL.so.1: cannot open shared object file")

    monkeypatch.setattr(checks, "CHECKS", (("corruption kernels", broken), *checks.CHECKS[:2]))
    result = run("doctor")
    first, *others = result.stdout.splitlines()
    assert result.exit_code == 3 and first.startswith("fault corruption kernels") and "libGL.so.1" in first
    assert [line[:2] for line in others] == ["ok", "ok"]


def test_a_folder_whose_name_is_too_long_is_no_fault_of_the_installation(run):
    result = run("doctor", LST_ROBUST_DATA_DIR="n" * 300)
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("fault")]
    assert result.exit_code == 3 and "File name too long" in line and "pip install" not in line
    assert "To do: name another folder in HOME, or in the variable LST_ROBUST_... that names this one" in line


def test_nothing_is_written_outside_of_the_cache(tmp_path):
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir(), here.mkdir()
    environment = os.environ | {"HOME": str(home), "LST_ROBUST_CACHE_DIR": str(tmp_path / "cache")}
    call = [sys.executable, "-m", "lst_robust", "doctor"]
    done = subprocess.run(call, cwd=here, env=environment, capture_output=True, text=True, check=True)
    assert "built at first use" in done.stdout and "compiling" not in done.stderr
    assert [*home.rglob("*"), *here.rglob("*")] == []
