"""Threads that fail, records that are damaged, logits that are no numbers: each is named, and the rest is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lst_robust.corruptions import engine
from tests.faults.tally import Snapshot, lost
from tests.fixtures.commands import parsed
from tests.fixtures.processes import CHEAP, EVAL, NETWORK, after_record

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
    finished = Snapshot(Path("broken"))
    assert len(finished) == 7, "clean, contrast, and pixelate at severity 1"
    assert parsed(run(*EVAL, "broken")) == whole
    assert not lost(finished)


@pytest.fixture
def half_done(run, tiny, whole, monkeypatch) -> Snapshot:
    """The first ten of the sixteen cells, each still in a file of its own; the last is pixelate at severity 4."""
    with monkeypatch.context() as patched:
        after_record(patched, 10, lambda: 1 / 0)
        assert run(*EVAL, "results").exit_code == 3
    finished = Snapshot(Path("results"))
    assert len(finished) == 10
    return finished


@pytest.mark.parametrize("damage", ["truncated", "edited", "emptied", "replaced", "folder"])
def test_a_damaged_record_is_named_and_measured_again_and_the_others_are_not(run, whole, half_done, damage):
    (path,) = Path("results").rglob("contrast-3.json")
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "edited":
        path.write_text(json.dumps(json.loads(content) | {"top1_error": 0.0}))
    elif damage == "emptied":
        path.write_bytes(b"")
    elif damage == "replaced":
        path.write_bytes(path.with_name("contrast-2.json").read_bytes())
    else:
        path.unlink(), path.mkdir()
    again = run(*EVAL, "results")
    assert "contrast-3.json" in again.stderr
    if damage == "folder":  # nothing can be put in its place
        assert again.exit_code == 3 and "contrast-3.json: cannot be written (it is a folder)" in again.stderr
    else:
        assert parsed(again) == whole
        assert len({line for line in again.stderr.splitlines() if line.startswith("warning: ")}) == 1
    del half_done[str(path.parent), "contrast-3"]
    assert not lost(half_done)


@pytest.mark.parametrize("damage", ["truncated", "emptied"])
def test_a_damaged_file_of_a_run_is_named_and_its_cells_are_measured_again(run, tiny, whole, damage):
    assert parsed(run(*EVAL, "results")) == whole
    (path,) = Path("results").rglob("run.parquet")
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(b"")
    again = run(*EVAL, "results")
    assert parsed(again) == whole
    assert any(line.startswith("warning: ") and "run.parquet" in line for line in again.stderr.splitlines())
    assert parsed(run(*EVAL, "results")) == whole


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
    assert len(Snapshot(Path("results"))) == 6
