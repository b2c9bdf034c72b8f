"""The program as a whole: its version, its help, its codes."""

from __future__ import annotations

import lst_robust


def test_the_version(run):
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"lst-robust {lst_robust.__version__}\n")


def test_without_a_command_there_is_help_and_the_code_of_a_usage_error(run):
    result = run()
    assert result.exit_code == 2 and "Usage: " in result.output and "eval" in result.output


def test_help_lists_the_exit_codes(run):
    shown = " ".join(run("-h").stdout.split())
    for code in ("0 fine", "1 regression found", "2 usage", "5 nothing to evaluate", "143 ended by SIGTERM"):
        assert code in shown
