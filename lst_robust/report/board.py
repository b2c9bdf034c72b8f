"""The leaderboard of a protocol: the same values as `lst-robust table`, with what a page shows besides."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lst_robust.analysis.published import PublishedResult
from lst_robust.analysis.summary import Summary
from lst_robust.published import SOURCES
from lst_robust.report.measured import Measured
from lst_robust.report.request import ReportRequest
from lst_robust.report.sizes import Size
from lst_robust.reporting.columns import is_summary, label, lower_is_better, metric_of
from lst_robust.reporting.notes import INTERVALS
from lst_robust.reporting.page.content import Board, Cell, Column, Row
from lst_robust.reporting.tables import TableGroup, best, columns_of, decimals, groups, robustness_table


def board(
    measured: Measured, sizes: Mapping[str, Size], speeds: Mapping[str, float], pages: Mapping[str, str]
) -> Board:
    """sizes, speeds (images a second) and pages (keys of network pages): by the networks' labels."""
    table = measured.table
    rows = []
    for name, cells, (label_, network) in zip(table.frame.index, _cells(table), measured.labelled(), strict=True):
        size = sizes.get(label_, Size("", None, None))
        rows.append(
            Row(
                name=str(name),
                cells=cells,
                family=size.family,
                source=_source(network.summary.model.name, size.family),
                params=size.params,
                macs=size.macs,
                images_per_second=speeds.get(label_),
                trainings=_trainings(network.summary.trainings, table),
                page=pages.get(label_),
            )
        )
    notes = tuple(BARS if note == INTERVALS else note for note in table.notes)
    return Board(table.caption, _columns(table), tuple(rows), notes)


BARS = (
    "Bar, and two numbers beside a mean: its 95 % interval, bootstrap over the images. All bars of a column have one "
    "scale. Dots: single trainings."
)


def published_boards(results: Sequence[PublishedResult], request: ReportRequest) -> list[Board]:
    """Other people's rows, a board a protocol: of these results, which are some of those of the request."""
    wanted = {(result.group.source, result.group.suite, result.group.protocol) for result in results}
    whole = robustness_table([], published=request.published_sets, match=request.match, normaliser=request.normaliser)
    boards = []
    for table in groups(whole):
        protocol = table.protocol
        if (protocol["source"], protocol["suite"], protocol["protocol"]) not in wanted:
            continue
        rows = tuple(
            Row(name=str(name), cells=cells) for name, cells in zip(table.frame.index, _cells(table), strict=True)
        )
        source = SOURCES[table.protocol["source"]].title
        boards.append(Board(table.caption, _columns(table), rows, tuple(table.notes), published_by=source))
    return boards


def _columns(table: TableGroup) -> tuple[Column, ...]:
    """The means; single corruptions have a figure of their own."""
    found = []
    for group, quantity in columns_of(table.frame):
        metric = metric_of(quantity)
        if metric is None or not is_summary(quantity):
            continue
        found.append(
            Column(
                name=quantity,
                label=label(quantity),
                group=group,
                decimals=decimals(table, quantity),
                lower_is_better=lower_is_better(quantity),
            )
        )
    return tuple(found)


def _cells(table: TableGroup) -> list[tuple[Cell, ...]]:
    """Of each row, a cell for each of `_columns`."""
    marks = best(table)
    rows: list[list[Cell]] = [[] for _ in range(len(table.frame))]
    for place, (_, quantity) in enumerate(columns_of(table.frame)):
        if not is_summary(quantity):
            continue
        digits = decimals(table, quantity)
        lows, highs = table.intervals.get(quantity, ([], []))
        spreads = table.spreads.get(quantity, [])
        for row, value in enumerate(table.frame.iloc[:, place].tolist()):
            known = not math.isnan(value)
            rows[row].append(
                Cell(
                    text=f"{value:.{digits}f}" if known else "–",
                    value=value if known else None,
                    low=_number(lows, row),
                    high=_number(highs, row),
                    spread=_number(spreads, row),
                    best=bool(marks.iloc[row, place]),
                )
            )
    return [tuple(cells) for cells in rows]


def _trainings(trainings: Sequence[Summary], whole: TableGroup) -> tuple[Row, ...]:
    """The single trainings of a network, with the columns of its board."""
    if not trainings:
        return ()
    (table,) = groups(robustness_table(trainings))
    place = {column.name: position for position, column in enumerate(_columns(table))}
    nothing = Cell("–")
    return tuple(
        Row(
            name=str(name),
            cells=tuple(cells[place[column.name]] if column.name in place else nothing for column in _columns(whole)),
        )
        for name, cells in zip(table.frame.index, _cells_unmarked(table), strict=True)
    )


def _cells_unmarked(table: TableGroup) -> list[tuple[Cell, ...]]:
    """Single trainings are not ranked."""
    return [tuple(Cell(c.text, c.value, c.low, c.high) for c in cells) for cells in _cells(table)]


def _number(values: Sequence[float], row: int) -> float | None:
    return None if not values or math.isnan(values[row]) else values[row]


def _source(name: str, family: str) -> str:
    """The library or hub that a network comes from; empty for one of this package, and where it is the family too."""
    source, colon, _ = name.partition(":")
    return source if colon and source != family else ""
