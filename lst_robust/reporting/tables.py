"""Results of evaluations as a table: one row a model, and only comparable numbers side by side.

Two rows are comparable when everything in `PROTOCOL` is equal. A table keeps these fields in its row index,
so that no selection or sorting can lose them, and `groups` splits it by them before anything is ranked or
rendered.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

import pandas as pd

from lst_robust.analysis.metrics import METRICS
from lst_robust.analysis.normalisers import OF_SUITE, Choice
from lst_robust.analysis.published import PublishedResult, checked_sets, published_results
from lst_robust.analysis.quantities import part
from lst_robust.analysis.scores import all_corruptions
from lst_robust.analysis.summary import Summary
from lst_robust.arguments import items, wrong, yes_or_no
from lst_robust.benchmark import CORRUPTIONS, SEVERITIES, Cell
from lst_robust.errors import UsageError, one_line
from lst_robust.published import PRINTED
from lst_robust.reporting.columns import has_column, lower_is_better, metric_of, table_columns, with_column
from lst_robust.reporting.notes import notes_below
from lst_robust.reporting.protocols import PROTOCOL, caption, published_protocol, stated_protocol

LEVELS = ("group", "quantity")  # of the columns
ENDS = ("low", "high")  # of an interval: the columns "mce19_low" and "mce19_high" beside "mce19"
SPREAD = "sd"  # the column "mce19_sd": the standard deviation over trainings, where a row is a mean over several
TRAININGS = ("Trainings", "trainings")  # the column of their number, which is there where a row has any


class TableGroup(NamedTuple):
    """Rows that may be compared: `frame` has one row a model and the columns that hold a value. Others hold what
    belongs to some of these values: `intervals`, by quantity, the lower and upper end of each row; `spreads`, by
    quantity, the standard deviation over trainings of each row; `trainings` how many each row is the mean of. NaN
    where there is none."""

    caption: str
    notes: tuple[str, ...]
    protocol: Mapping[str, str]
    frame: pd.DataFrame
    intervals: Mapping[str, tuple[list[float], list[float]]]
    spreads: Mapping[str, list[float]]
    trainings: list[float]


class _Row(NamedTuple):
    protocol: tuple[str, ...]
    label: str
    numbers: Mapping[str, float | None]
    cells: frozenset[Cell]


def robustness_table(
    results: Sequence[Summary | Mapping[str, Any]],
    *,
    paper: bool = False,
    published: Iterable[str] = (),
    match: Iterable[str] = (),
    normaliser: Choice = OF_SUITE,
    intervals: bool = True,
    calibration: bool = False,
) -> pd.DataFrame:
    """One row a result (a `Summary`, or the JSON of `lst-robust eval --json`), all values in percent (but Brier scores,
    0 to 2), NaN where cells are missing.

    The row index has the levels PROTOCOL and "model", the columns are those of `table_columns`; rows of one protocol
    stand together in the order given. Results of cells from official files, or with corruptions of your own, stand
    together where they have the same files and code in all cells: summarise such networks in one call, which knows the
    cells that each lacks. Means of which results state the 95 % interval are followed by columns with its
    ends (see ENDS), unless intervals is False. Where a result is a mean over trainings, a value is followed by its
    standard deviation over them (see SPREAD), and the last column, TRAININGS, has their number. A corruption's column
    holds its CE, or without a normaliser its mean error over the severities measured. A corruption that is not one of
    the papers' 19 has a column where a result has it, which always holds mean errors. calibration=True appends the
    columns of calibration.

    published, match: other people's rows, each under the protocol of its source, see `published_results`; paper=True is
    published=["paper"], the LST-Net paper's Table 4. normaliser: of these rows only, since the results have theirs.
    """
    paper, intervals = yes_or_no("paper", paper), yes_or_no("intervals", intervals)
    calibration = yes_or_no("calibration", calibration)
    summaries = checked_summaries(results)
    others = published_results(with_paper(published, paper), match, normaliser=normaliser)
    rows = [*map(_row, summaries), *map(_published_row, others)]
    stated = {name for row in rows for name, value in row.numbers.items() if value is not None}
    beside = (*(ENDS if intervals else ()), SPREAD)
    corruptions = with_column(all_corruptions(name for summary in summaries for name in summary.errors))
    columns = pd.MultiIndex.from_tuples(
        [
            (group, column)
            for group, name in table_columns(corruptions, calibration=calibration)
            for column in (name, *(_beside(name, what) for what in beside if _beside(name, what) in stated))
        ]
        + [TRAININGS] * (TRAININGS[1] in stated),
        names=LEVELS,
    )
    first: dict[tuple[str, ...], int] = {}
    for index, row in enumerate(rows):
        first.setdefault(row.protocol, index)
    rows.sort(key=lambda row: first[row.protocol])
    index = pd.MultiIndex.from_tuples([(*row.protocol, row.label) for row in rows], names=[*PROTOCOL, "model"])
    values = [[row.numbers.get(name) for _, name in columns] for row in rows]
    table = pd.DataFrame(values, index=index, columns=columns, dtype="float64")
    return table.mask(_partial_means(table, [row.cells for row in rows]))


def groups(table: pd.DataFrame) -> list[TableGroup]:
    """The table of `robustness_table` split by protocol, in order, without columns that hold nothing in a
    group."""
    keys = [tuple(entry[:-1]) for entry in table.index]
    split = []
    for key in dict.fromkeys(keys):
        rows = table[[k == key for k in keys]]
        everything = rows.droplevel(list(PROTOCOL))
        whole = everything.dropna(axis="columns", how="all")
        if whole.columns.empty:  # published models without any number: a table needs a column
            whole = everything.iloc[:, :1]
        protocol = dict(zip(PROTOCOL, key, strict=True))
        split.append(_group(protocol, whole))
    return split


def _group(protocol: Mapping[str, str], whole: pd.DataFrame) -> TableGroup:
    """whole: the rows of the group, without columns that hold nothing."""
    present = {name: whole[group, name].tolist() for group, name in columns_of(whole)}
    bounds = {
        name: (present[_beside(name, "low")], present[_beside(name, "high")])
        for name in present
        if _beside(name, "low") in present
    }
    spreads = {name: present[_beside(name, SPREAD)] for name in present if _beside(name, SPREAD) in present}
    trainings = present.get(TRAININGS[1], [math.nan] * len(whole))
    aside = {_beside(name, end) for name in bounds for end in ENDS} | {_beside(name, SPREAD) for name in spreads}
    frame = whole[[column for column in whole.columns if column[1] not in {*aside, TRAININGS[1]}]]
    notes = notes_below(
        protocol,
        [quantity for _, quantity in columns_of(frame)],
        incomplete=bool(frame.isna().any(axis=None)),
        intervals=bool(bounds),
        spreads=bool(spreads),
    )
    return TableGroup(caption(protocol), notes, protocol, frame, bounds, spreads, trainings)


def protocol_of(summary: Summary) -> tuple[str, ...]:
    """Under which protocol a result stands in a table: the values of PROTOCOL."""
    return _row(summary).protocol


def columns_of(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """(group, quantity) of each column."""
    return list(zip(*(map(str, frame.columns.get_level_values(level)) for level in range(2)), strict=True))


def decimals(group: TableGroup, quantity: str) -> int:
    """Digits after the point: a metric's own; for a single corruption one, or none where the paper has none."""
    if metric := metric_of(quantity):
        return metric.decimals
    return 0 if group.protocol["protocol"] == PRINTED else 1


def best(group: TableGroup) -> pd.DataFrame:
    """Boolean, shaped like group.frame: the best value of each column, and those equal to it as printed.

    Nothing is best where there is nothing to compare with: a column of fewer than two values.
    """
    marks = pd.DataFrame(False, index=group.frame.index, columns=group.frame.columns)
    for index, (_, quantity) in enumerate(columns_of(group.frame)):
        digits = decimals(group, quantity)
        shown = [round(value, digits) for value in group.frame.iloc[:, index]]
        present = [value for value in shown if not math.isnan(value)]
        if len(present) > 1:
            wanted = min(present) if lower_is_better(quantity) else max(present)
            marks.iloc[:, index] = [value == wanted for value in shown]
    return marks


def with_paper(published: Iterable[str], paper: bool) -> Iterable[str]:
    """The published sets that are asked for; paper: whether that of the paper is among them in any case."""
    return [*checked_sets(published), "paper"] if paper else published


def checked_summaries(results: Iterable[Summary | Mapping[str, Any]]) -> list[Summary]:
    """Results as summaries; UsageError, with the index, for what is none."""
    found = []
    for index, result in enumerate(items("results", results, empty=True)):
        if isinstance(result, Summary):
            found.append(result)
        elif isinstance(result, Mapping) and "published" in result:
            advice = "leave it out, and name its set as published"
            raise UsageError(f"results[{index}] is another's published row: {advice}")
        elif isinstance(result, Mapping) and "model" in result:
            try:
                found.append(Summary.from_dict(result))
            except UsageError as error:
                raise UsageError(f"results[{index}] is {error}") from error
        else:
            advice = "give evaluation.summary(), or the JSON of lst-robust eval --json"
            raise wrong(f"results[{index}]", result, advice)
    return found


def _beside(quantity: str, what: str) -> str:
    """The column of what belongs to a quantity's values: an end of the interval, or the standard deviation."""
    return f"{quantity}_{what}"


def _quantity_of(column: str) -> str:
    """The quantity to whose values a column belongs."""
    for what in (*ENDS, SPREAD):
        column = column.removesuffix(_beside("", what))
    return column


def _row(summary: Summary) -> _Row:
    cells = _measured_cells(summary.errors)
    measured = _measured_severities(cells)
    has_ce = any(value is not None for value in summary.ce.values())
    numbers = {**summary.metrics, **summary.calibration}
    for name, ends in (summary.intervals.metrics if summary.intervals else {}).items():
        if ends is not None:
            numbers |= {_beside(name, end): value for end, value in zip(ENDS, ends, strict=True)}
    spreads = {name: found.std for name, found in summary.spreads.items()}
    numbers |= {
        _beside(name, SPREAD): spreads[name] for name in METRICS if name in spreads and METRICS[name].over_seeds
    }
    for name in filter(has_column, summary.errors):
        is_ce = has_ce and name in CORRUPTIONS
        numbers[_beside(name, SPREAD)] = spreads.get(part("ce" if is_ce else "error", name))
        numbers[name] = summary.ce.get(name) if is_ce else _mean_error(summary.errors[name], measured)
    numbers[TRAININGS[1]] = len(summary.trainings) or None
    protocol = tuple(map(one_line, stated_protocol(summary, measured, "ce" if has_ce else "error")))
    return _Row(protocol, one_line(summary.label), numbers, cells)


def _published_row(result: PublishedResult) -> _Row:
    cells = _measured_cells(result.errors)
    measured = _measured_severities(cells)
    has_ce = any(value is not None for value in result.ce.values())
    numbers = dict(result.metrics)
    for name, errors in result.errors.items():
        numbers[name] = result.ce[name] if has_ce else _mean_error(errors, measured)
    severities = SEVERITIES if result.group.protocol == PRINTED else measured
    protocol = published_protocol(result, severities, "ce" if has_ce else "error")
    return _Row(protocol, result.model, numbers, cells)


def _partial_means(table: pd.DataFrame, cells: Sequence[frozenset[Cell]]) -> pd.DataFrame:
    """Boolean, shaped like the table: the plain means (of errors, of calibration) of rows that lack a cell which others
    of their protocol have; a mean over other cells would pass for a comparable one. cells: those of each row."""
    partial = pd.DataFrame(False, index=table.index, columns=table.columns)
    keys = [tuple(entry[:-1]) for entry in table.index]
    of_protocol: dict[tuple[object, ...], set[Cell]] = {}
    for key, measured in zip(keys, cells, strict=True):
        of_protocol.setdefault(key, set()).update(measured)
    missing = [of_protocol[key] - measured for key, measured in zip(keys, cells, strict=True)]
    for column, quantity in enumerate(map(str, table.columns.get_level_values("quantity"))):
        metric = metric_of(_quantity_of(quantity))
        if metric is not None and metric.over_corruptions and not metric.needs_normaliser:
            partial.iloc[:, column] = [not lacking.isdisjoint(metric.cells) for lacking in missing]
    return partial


def _measured_cells(errors: Mapping[str, Sequence[float | None]]) -> frozenset[Cell]:
    return frozenset(
        Cell(name, severity)
        for name, row in errors.items()
        for severity, error in zip(SEVERITIES, row, strict=False)
        if error is not None
    )


def _measured_severities(cells: Iterable[Cell]) -> list[int]:
    return sorted({cell.severity for cell in cells})


def _mean_error(errors: Sequence[float | None], measured: Sequence[int]) -> float | None:
    by_severity = dict(zip(SEVERITIES, errors, strict=False))  # a row of another's JSON may be short
    values = [by_severity.get(severity) for severity in measured]
    present = [value for value in values if value is not None]
    return fmean(present) if present and len(present) == len(values) else None
