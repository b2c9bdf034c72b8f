"""From measured networks to what the figures draw, and to the numbers behind them as texts."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

from lst_robust.analysis.comparison import Comparison
from lst_robust.analysis.comparison import Difference as Compared
from lst_robust.analysis.metrics import METRICS, Metric, headline
from lst_robust.analysis.networks import MeasuredNetwork
from lst_robust.analysis.reliability import clean_and_corrupted
from lst_robust.benchmark import CORRUPTIONS, SEVERITIES, Cell, group_of, label_of
from lst_robust.records.confidence import Calibration
from lst_robust.report.measured import Measured
from lst_robust.reporting.figures import forest, reliability, scatter
from lst_robust.reporting.figures.agreement import Agreement
from lst_robust.reporting.figures.curves import Line

MISSING = "–"


def line_of(label: str, network: MeasuredNetwork) -> Line:
    """A network's errors with their intervals."""
    ends = network.error_intervals
    errors = {name: row for name, row in network.summary.errors.items() if any(error is not None for error in row)}
    low, high = (
        {name: [_end(ends, Cell(name, severity), side) for severity in SEVERITIES] for name in errors}
        for side in (0, 1)
    )
    return Line(label, errors, low, high)


def severity_rows(line: Line) -> Iterator[tuple[str, ...]]:
    """A corruption's name and its errors, in percent."""
    for name, row in line.errors.items():
        yield label_of(name), *(number(error, 1) for error in row)


def by_corruption(measured: Measured, label: str, network: MeasuredNetwork) -> dict[str, float | None]:
    """The CE of each corruption that has one, or its mean error where the networks have no CE. CEs of the 19, and mean
    errors, are as the table shows them: it leaves out a mean over fewer cells than others have."""
    summary = network.summary
    stated = summary.ce if measured.has_ce else summary.errors
    values = {  # the table's columns of further corruptions are mean errors
        name: summary.ce[name] if measured.has_ce and name not in CORRUPTIONS else measured.number(label, name)
        for name in stated
    }
    return {name: value for name, value in values.items() if value is not None}


def point_of(measured: Measured, label: str, network: MeasuredNetwork, metric: Metric) -> scatter.Point:
    """Without intervals where the table has no value."""
    ends = network.summary.intervals.metrics if network.summary.intervals else {}
    nothing = (None, None)
    clean, value = measured.value(label, METRICS["clean_error"]), measured.value(label, metric)
    own = nothing if value is None else ends.get(metric.name) or nothing
    return scatter.Point(label, clean, value, *(ends.get("clean_error") or nothing), *own)


def differences(comparison: Comparison) -> list[forest.Difference]:
    """The headline metric, the other means, then the corruptions."""
    first = headline(comparison.metrics)
    names = sorted(comparison.metrics, key=lambda name: first is None or name != first.name)
    rows = [_row(METRICS[name].title, "Means", comparison.metrics[name]) for name in names]
    quantity = "CE" if comparison.quantity == "ce" else "error"
    return rows + [
        _row(label_of(name), f"{group_of(name).capitalize()}, {quantity}", found)
        for name, found in comparison.corruptions.items()
    ]


def calibrated(label: str, network: MeasuredNetwork, cells: Collection[Cell] | None = None) -> reliability.Calibrated:
    """cells: only these; None: all of its own."""
    trainings = [
        {cell: record for cell, record in run.records.items() if cells is None or cell in cells} for run in network.runs
    ]
    clean, corrupted = clean_and_corrupted(trainings)
    return reliability.Calibrated(label, _bins(clean), _bins(corrupted))


def kappa_rows(agreement: Agreement) -> Iterator[tuple[str, ...]]:
    """Each pair of networks with its kappas."""
    for i, first in enumerate(agreement.names):
        for j, second in enumerate(agreement.names[:i]):
            yield second, first, *(_kappa(matrix, i, j) for matrix in (agreement.clean, agreement.corrupted))


def number(value: float | None, digits: int) -> str:
    """As it stands in a table of the numbers behind a figure."""
    return MISSING if value is None else f"{value:.{digits}f}"


def with_ends(value: float | None, low: float | None, high: float | None) -> str:
    """A value with its interval."""
    if value is None or low is None or high is None:
        return number(value, 2)
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def change(row: forest.Difference | None) -> str:
    """A difference with its interval."""
    if row is None or row.difference is None:
        return MISSING
    return f"{row.difference:+.2f} [{row.low:+.2f}, {row.high:+.2f}]"


def _kappa(matrix: Sequence[Sequence[float | None]] | None, i: int, j: int) -> str:
    value = None if matrix is None else matrix[i][j]
    return number(None if value is None or math.isnan(value) else value, 3)


def _end(ends: Mapping[Cell, tuple[float, float]], cell: Cell, side: int) -> float | None:
    return ends[cell][side] if cell in ends else None


def _bins(found: Calibration | None) -> reliability.Bins | None:
    return None if found is None else reliability.Bins(found.count, found.confidence, found.correct)


def _row(label: str, group: str, found: Compared) -> forest.Difference:
    over = found.seeds
    p = found.p_value if found.p_holm is None else found.p_holm
    ends = (None, None) if over is None else (over.low, over.high)
    return forest.Difference(label, group, found.difference, found.low, found.high, p, *ends)
