"""`lst-robust doctor`: is everything here that is needed?"""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.text import Text

from lst_robust.cli import options as opt
from lst_robust.cli.console import err, out, print_error, print_json
from lst_robust.diagnosis import Finding, diagnose
from lst_robust.errors import LstRobustError, one_line

HELP = """Look whether this machine has what is needed: packages, devices, compilers, caches, folders.

Each thing has one line. `ok` is fine. `note` says what is missing or slower, which not everybody needs. `fault` is
broken; then the exit code is 3. What to do stands at the end of the line. Nothing is compiled, downloaded or changed.

**Examples**

- `lst-robust doctor`
- `lst-robust doctor --json`
"""
COLORS = {"ok": "green", "note": "yellow", "fault": "bold red"}
STATE_WIDTH, NAME_WIDTH = 6, 20  # characters


def doctor_command(json: opt.Json = False) -> None:
    findings = []
    for finding in diagnose():
        findings.append(finding)
        if not json:
            out.print(_line(finding), soft_wrap=True)
    faults = [finding for finding in findings if finding.state == "fault"]
    if json:
        print_json({"ok": not faults, "findings": [asdict(finding) for finding in findings]})
    if faults:
        print_error(f"{len(faults)} of {len(findings)} are broken, first: {faults[0].what}")
        raise typer.Exit(LstRobustError.exit_code)
    if not json:
        err.print("Everything that is needed is here.", style="dim")


def _line(finding: Finding) -> Text:
    """State, name, what was found and what to do, as one line."""
    mend = f". To do: {finding.mend}" if finding.mend else ""
    return Text.assemble(
        (finding.state.ljust(STATE_WIDTH), COLORS[finding.state]),
        finding.what.ljust(NAME_WIDTH),
        one_line(f"{finding.text}{mend}"),
    )


doctor_command.__doc__ = HELP
