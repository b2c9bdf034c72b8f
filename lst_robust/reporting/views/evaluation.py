"""How one evaluation looks in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lst_robust.analysis.metrics import Metric, image_metrics
from lst_robust.analysis.protocols import images_in_words
from lst_robust.analysis.summary import Summary
from lst_robust.benchmark import SEVERITIES, group_of
from lst_robust.reporting.columns import corruption_columns
from lst_robust.reporting.views.layout import plain_table


def evaluation_view(summary: Summary) -> Group:
    """Errors by corruption and severity with the CE of each, then the means; all in percent."""
    return Group(_errors(summary), "", Text.from_markup(_means(summary), emoji=False))


def _errors(summary: Summary) -> Table:
    protocol = summary.protocol
    table = plain_table(
        title=f"{escape(summary.label)} on {escape(protocol.suite)} v{protocol.suite_version}, "
        f"n = {escape(images_in_words(protocol))}, top-1 error in percent"
    )
    table.add_column("Group", style="dim")
    table.add_column("Corruption", no_wrap=True)
    for severity in SEVERITIES:
        table.add_column(str(severity), justify="right")
    table.add_column("Mean", justify="right")
    if summary.normaliser:
        table.add_column("CE", justify="right", style="bold")
    before = ""
    measured = [name for name, errors in summary.errors.items() if _present(errors)]
    for _, name in corruption_columns(measured):
        errors, group = summary.errors[name], group_of(name)
        if before not in ("", group):
            table.add_section()
        present = _present(errors)
        row = [group if group != before else "", name, *map(_number, errors), _number(sum(present) / len(present))]
        table.add_row(*row, *([_number(summary.ce.get(name))] if summary.normaliser else []))
        before = group
    return table


def _present(errors: Sequence[float | None]) -> list[float]:
    return [error for error in errors if error is not None]


def _means(summary: Summary) -> str:
    protocol = summary.protocol
    shown = [metric for metric in image_metrics() if summary.normaliser or not metric.needs_normaliser]
    width = max(len(metric.title) for metric in shown)
    lines = [
        f"{metric.title:<{width}}  {_with_interval(summary, metric)}"
        + ("  (not normalised)" if metric.over_corruptions and not metric.needs_normaliser else "")
        for metric in shown
    ]
    lines.append(f"[dim]in brackets: 95 % intervals, bootstrap over the {protocol.n} images[/]")
    lines += map(escape, summary.notes)
    stated = (
        f"{protocol.protocol}, {summary.geometry or 'preprocessing not noted'}"
        + (" (the network's own)" if protocol.preprocess == "model" else "")
        + f", preset {protocol.preset}, style {protocol.style}, engine {protocol.engine}, "
        f"seed {protocol.seed}, data {protocol.data}, normaliser {summary.normaliser or 'none'}"
    )
    return "\n".join([*lines, f"[dim]{escape(stated)}[/]"])


def _with_interval(summary: Summary, metric: Metric) -> str:
    """ "87.12 % [86.5, 87.8]", the bracket escaped for rich; "-" for what is not defined."""
    value = summary.metrics[metric.name]
    if value is None:
        return "-"
    ends = summary.intervals.metrics[metric.name] if summary.intervals else None
    bracket = rf" \[{_number(ends[0])}, {_number(ends[1])}]" if ends else ""
    return f"{_number(value, metric.decimals)} %{bracket}"


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
