"""`lst-robust baseline`. What it writes: tests/cli/test_check.py and tests/cli/test_output.py."""

from __future__ import annotations

from pathlib import Path


def test_a_baseline_needs_records(run):
    result = run("baseline", "write", "--out", "baseline.json")
    assert result.exit_code == 5 and not Path("baseline.json").exists()
    assert run("check").exit_code == 2
    assert "lst-robust baseline write" in run("baseline", "write", "--help").stdout
