"""What `lst-robust check` has found, as a table."""

from __future__ import annotations

from rich.console import Group
from rich.markup import escape
from rich.text import Text

from lst_robust.analysis.gate import Finding, Gate
from lst_robust.reporting.escaping import terminal
from lst_robust.reporting.views.layout import plain_table

VERDICTS = {
    "passed": "[green]passed[/]",
    "regression": "[bold red]regression[/]",
    "incomparable": "[red]not comparable[/]",
    "missing": "[red]no records[/]",
}
UNPAIRED = "* not paired: the baseline has no bits, so the interval is wider"


def gate_view(gate: Gate) -> Group:
    """One row a model: its metric in the baseline and now, the difference with its interval, the verdict."""
    table = plain_table(title=f"{gate.metric}, tolerance {gate.tolerance:g} percent points")
    for head in ("Suite", "Model"):
        table.add_column(head, overflow="fold")
    for head in ("Baseline", "Now", "Difference, 95 %"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    for finding in gate.findings:
        numbers = ["", "", ""]
        if finding.difference is not None:
            numbers = [f"{finding.baseline:.2f}", f"{finding.current:.2f}", _difference(finding)]
        table.add_row(terminal(finding.suite), terminal(finding.model), *numbers, VERDICTS[finding.status])
    unpaired = any(finding.paired is False for finding in gate.findings)
    return Group(table, *([Text(UNPAIRED, style="dim")] if unpaired else []))


def _difference(finding: Finding) -> str:
    ends = escape(f"[{finding.low:+.2f}, {finding.high:+.2f}]")
    return f"{finding.difference:+.2f} {ends}" + ("" if finding.paired else " *")
