"""How one evaluation looks in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from lst_robust.analysis.metrics import Metric, image_metrics
from lst_robust.analysis.protocols import images_in_words
from lst_robust.analysis.summary import Summary
from lst_robust.benchmark import SEVERITIES, group_of
from lst_robust.reporting.columns import corruption_columns
from lst_robust.reporting.escaping import terminal
from lst_robust.reporting.views.layout import plain_table

BARS = "▁▂▃▄▅▆▇█"
NO_BAR = "·"  # a cell that was not measured
SCALE = "bars: severities 1 to 5, a step for 12.5 points: ▁ below 12.5 %, █ from 87.5 %"


class EvaluationView:
    """Errors by corruption and severity with the CE of each and a small picture of its errors, then the means; all in
    percent. There is no picture where the console's encoding has no bars, and where it has no room for them."""

    def __init__(self, summary: Summary) -> None:
        self._summary = summary

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _title(self._summary)
        table = _errors(self._summary, bars=True)
        needed = Measurement.get(console, options.update(width=10_000), table).maximum
        if needed <= options.max_width and _can_print(BARS + NO_BAR, options.encoding):
            yield table
            yield Text(SCALE, style="dim")
        else:
            yield _errors(self._summary, bars=False)
        yield ""
        yield _means(self._summary)


def evaluation_view(summary: Summary) -> EvaluationView:
    """What `lst-robust eval` prints of one network."""
    return EvaluationView(summary)


def sparkline(errors: Sequence[float | None]) -> str:
    """One character an error in percent: eight bars, each for an eighth of the way from 0 to 100."""
    steps = len(BARS)
    return "".join(
        NO_BAR if error is None else BARS[min(max(int(error * steps / 100), 0), steps - 1)] for error in errors
    )


def _can_print(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _title(summary: Summary) -> Text:
    protocol = summary.protocol
    named = f"{summary.label} on {protocol.suite} v{protocol.suite_version}, n = {images_in_words(protocol)}"
    return terminal(f"{named}, top-1 error in percent", style="table.title")


def _errors(summary: Summary, *, bars: bool) -> Table:
    table = plain_table()
    table.padding = 0  # so that it fits into a line of 80 characters
    table.add_column("Group", style="dim", overflow="fold")
    table.add_column("Corruption", overflow="fold")
    for severity in SEVERITIES:
        table.add_column(str(severity), justify="right", no_wrap=True)
    if bars:
        table.add_column("1 to 5", no_wrap=True)
    table.add_column("Mean", justify="right", no_wrap=True)
    if summary.normaliser:
        table.add_column("CE", justify="right", style="bold", no_wrap=True)
    before = ""
    measured = [name for name, errors in summary.errors.items() if _present(errors)]
    for _, name in corruption_columns(measured):
        errors, group = summary.errors[name], group_of(name)
        if before not in ("", group):
            table.add_section()
        present = _present(errors)
        row: list[str | Text] = [terminal(group if group != before else ""), terminal(name), *map(_number, errors)]
        row += [sparkline(errors)] if bars else []
        row += [_number(sum(present) / len(present)), *([_number(summary.ce.get(name))] if summary.normaliser else [])]
        table.add_row(*row)
        before = group
    return table


def _present(errors: Sequence[float | None]) -> list[float]:
    return [error for error in errors if error is not None]


def _means(summary: Summary) -> Text:
    protocol = summary.protocol
    shown = [metric for metric in image_metrics() if summary.normaliser or not metric.needs_normaliser]
    width = max(len(metric.title) for metric in shown)
    lines = [
        Text(
            f"{metric.title:<{width}}  {_with_interval(summary, metric)}"
            + ("  (not normalised)" if metric.over_corruptions and not metric.needs_normaliser else "")
        )
        for metric in shown
    ]
    lines.append(Text(f"in brackets: 95 % intervals, bootstrap over the {protocol.n} images", style="dim"))
    lines += map(terminal, summary.notes)
    stated = (
        f"{protocol.protocol}, {summary.geometry or 'preprocessing not noted'}"
        + (" (the network's own)" if protocol.preprocess == "model" else "")
        + f", preset {protocol.preset}, style {protocol.style}, engine {protocol.engine}, "
        f"seed {protocol.seed}, data {protocol.data}, normaliser {summary.normaliser or 'none'}"
    )
    return Text("\n").join([*lines, terminal(stated, style="dim")])


def _with_interval(summary: Summary, metric: Metric) -> str:
    """ "87.12 % [86.5, 87.8]"; "-" for what is not defined."""
    value = summary.metrics[metric.name]
    if value is None:
        return "-"
    ends = summary.intervals.metrics[metric.name] if summary.intervals else None
    bracket = f" [{_number(ends[0])}, {_number(ends[1])}]" if ends else ""
    return f"{_number(value, metric.decimals)} %{bracket}"


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
