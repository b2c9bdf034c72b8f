"""Two models side by side, and which of them is the better."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from lst_robust.analysis.comparison import Comparison, Difference
from lst_robust.analysis.metrics import METRICS, headline
from lst_robust.analysis.protocols import images_in_words
from lst_robust.analysis.statistics import LEVEL
from lst_robust.reporting.columns import corruption_columns
from lst_robust.reporting.escaping import terminal
from lst_robust.reporting.views.layout import plain_table

INTERVAL = "A - B, 95 %"


def verdict(comparison: Comparison) -> str:
    """The result in one line: which of these weights are the better in the metric that counts most, see `headline`. The
    first interval is over other images, the second (where there are seeds) over other trainings. A difference is stated
    only where the interval excludes zero and p < 0.05: of a handful of images the interval alone is too narrow."""
    metric = headline(comparison.metrics)
    if metric is None:
        return "no verdict: no metric counts these corruptions, see the rows"
    value = comparison.metrics[metric.name]
    numbers = f"{metric.title} {value.difference:+.2f} [{value.low:+.2f}, {value.high:+.2f}], p = {value.p_value:.4f}"
    if value.seeds:
        seeds = value.seeds
        numbers += f"; over {seeds.n} training seeds: SD {seeds.std:.2f}, 95 % [{seeds.low:+.2f}, {seeds.high:+.2f}]"
    if value.low <= 0 <= value.high or value.p_value >= LEVEL:
        return f"no difference between {comparison.a} and {comparison.b} is shown: {numbers}"
    first_is_better = (value.difference < 0) == metric.lower_is_better
    better, other = (comparison.a, comparison.b) if first_is_better else (comparison.b, comparison.a)
    found = f"{better}, as trained, is better than {other} on such images: {numbers}"
    if value.seeds and value.seeds.low <= 0 <= value.seeds.high:
        return f"{found}, so over other trainings no difference is shown"
    return found


def caption(comparison: Comparison) -> str:
    """What is compared, in one line."""
    protocol, seeds = comparison.protocol, len(comparison.pairs)
    parts = [f"{protocol.suite} v{protocol.suite_version}, n = {images_in_words(protocol)}"]
    parts += [f"mean of {seeds} training seeds (SD: of A - B over them)"] if seeds else []
    parts += [f"CE against {comparison.normaliser}"] if comparison.quantity == "ce" else ["mean top-1 errors"]
    return f"A: {comparison.a}, B: {comparison.b} · {' · '.join(parts)} · percent, below 0 A is the better"


def comparison_table(comparison: Comparison) -> Table:
    """Metrics, then corruptions by their groups: A, B, the difference with its interval, p-values."""
    seeds = bool(comparison.pairs)
    table = plain_table()
    table.padding = 0  # so that a mean with its interval fits into a line of 80 characters
    table.add_column("", no_wrap=True)
    for head in ("A", "B", INTERVAL, "p", "Holm p") + (("SD",) if seeds else ()):
        table.add_column(head, justify="right", no_wrap=head != INTERVAL)  # which wraps where there is no room
    for name, value in comparison.metrics.items():
        metric = METRICS[name]
        table.add_row(metric.title, *_row(value, metric.decimals, seeds), style="bold" if metric.group == "mCE" else "")
    table.add_section()
    before = ""
    for group, name in corruption_columns(comparison.corruptions):
        if before not in ("", group):
            table.add_section()
        table.add_row(terminal(name), *_row(comparison.corruptions[name], 1, seeds))
        before = group
    return table


def _row(value: Difference, digits: int, seeds: bool) -> list[str]:
    cells = [
        f"{value.a:.{digits}f}",
        f"{value.b:.{digits}f}",
        escape(f"{value.difference:+.{digits}f} [{value.low:+.{digits}f}, {value.high:+.{digits}f}]"),
        f"{value.p_value:.4f}",
        "" if value.p_holm is None else f"{value.p_holm:.4f}",
    ]
    return cells + ([f"{value.seeds.std:.{digits}f}" if value.seeds else ""] if seeds else [])
