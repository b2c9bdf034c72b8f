"""How one evaluation looks in a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape

from lst_robust.benchmark import GROUPS, SEVERITIES
from lst_robust.cli.console import plain_table

TITLES = {
    "clean_error": "clean error",
    "mean_corruption_error": "mean corruption error",
    "mce15": "mCE (15 standard)",
    "mce19": "mCE (all 19)",
    "relative_mce": "relative mCE (15)",
}


def print_evaluation(summary: dict[str, Any], console: Console) -> None:
    """Errors by corruption and severity with the CE of each, then the means; all in percent."""
    table = plain_table(
        title=f"{escape(summary['model'])} on {escape(summary['suite'])} v{summary['suite_version']}, "
        f"n = {summary['n']}, top-1 error in percent"
    )
    table.add_column("Group", style="dim")
    table.add_column("Corruption", no_wrap=True)
    for severity in SEVERITIES:
        table.add_column(str(severity), justify="right")
    table.add_column("Mean", justify="right")
    if summary["normaliser"]:
        table.add_column("CE", justify="right", style="bold")
    for group, names in GROUPS.items():
        for i, name in enumerate(names):
            errors = summary["errors"][name]
            measured = [error for error in errors if error is not None]
            if not measured:
                continue
            row = [group if i == 0 else "", name, *map(_number, errors), _number(sum(measured) / len(measured))]
            if summary["normaliser"]:
                row.append(_number(summary["ce"][name]))
            table.add_row(*row)
        table.add_section()
    console.print(table)
    console.print()
    console.print(_means(summary), highlight=False)


def _means(summary: dict[str, Any]) -> str:
    shown = TITLES if summary["normaliser"] else ("clean_error", "mean_corruption_error")
    lines = [f"{TITLES[metric]:<21}  {_with_interval(summary, metric)}" for metric in shown]
    lines[1] += "  (not normalised)"
    lines.append(f"[dim]in brackets: 95 % intervals, bootstrap over the {summary['n']} images[/]")
    lines += map(escape, summary["notes"])
    protocol = (
        f"{summary['protocol']}, {summary['geometry'] or 'preprocessing not noted'}"
        + (" (the network's own)" if summary["preprocess"] == "model" else "")
        + f", preset {summary['preset']}, style {summary['style']}, engine {summary['engine']}, "
        f"seed {summary['seed']}, data {summary['data']}, normaliser {summary['normaliser'] or 'none'}"
    )
    return "\n".join([*lines, f"[dim]{escape(protocol)}[/]"])


def _with_interval(summary: dict[str, Any], metric: str) -> str:
    """ "87.12 % [86.5, 87.8]", the bracket escaped for rich; "-" for what is not defined."""
    if summary[metric] is None:
        return "-"
    ends = summary["intervals"][metric]
    bracket = rf" \[{_number(ends[0])}, {_number(ends[1])}]" if ends else ""
    return f"{_number(summary[metric], 2)} %{bracket}"


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
