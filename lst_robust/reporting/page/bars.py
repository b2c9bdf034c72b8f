"""The bars of a leaderboard: an interval and a value on a scale that all rows of a column share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lst_robust.reporting.page.content import Board, Cell, Change, Row

WIDTH = 96.0
MARGIN = 3.0  # room for half a dot at both ends


@dataclass(frozen=True)
class Bar:
    """Places in a picture of 96 units of width. low and high are None without an interval."""

    value: float
    low: float | None
    high: float | None
    trainings: tuple[float, ...] = ()
    """Of each training that stands behind a mean."""
    zero: float | None = None
    """Where 0 is, where it is on the scale."""


@dataclass(frozen=True)
class Scale:
    """From a value to its place. least < most."""

    least: float
    most: float

    def place(self, value: float) -> float:
        return round(MARGIN + (WIDTH - 2 * MARGIN) * (value - self.least) / (self.most - self.least), 1)


def scales(board: Board) -> list[Scale | None]:
    """The scale of each column over all its rows and trainings; None where all values are equal or there are none."""
    rows = [one for row in board.rows for one in (row, *row.trainings)]
    return [_scale(_ends(row.cells[place] for row in rows)) for place in range(len(board.columns))]


def with_spread(board: Board) -> list[bool]:
    """Of each column, whether any row has a spread: then all rows leave room for it, and their values are aligned."""
    rows = [one for row in board.rows for one in (row, *row.trainings)]
    return [any(row.cells[place].spread is not None for row in rows) for place in range(len(board.columns))]


def bar(row: Row, place: int, scale: Scale | None) -> Bar | None:
    """The bar of a row's cell; None where there is nothing to draw."""
    cell = row.cells[place]
    if scale is None or cell.value is None or not math.isfinite(cell.value):
        return None
    values = (training.cells[place].value for training in row.trainings)
    return Bar(
        scale.place(cell.value),
        _place(scale, cell.low),
        _place(scale, cell.high),
        tuple(scale.place(value) for value in values if value is not None and math.isfinite(value)),
    )


def change_bars(changes: Iterable[Change]) -> list[Bar | None]:
    """The bar of each change's difference, on one scale that holds 0."""
    changes = list(changes)
    scale = _scale([0.0, *_finite(end for one in changes for end in (one.difference, one.low, one.high))])
    return [
        Bar(scale.place(one.difference), _place(scale, one.low), _place(scale, one.high), zero=scale.place(0.0))
        if scale and one.difference is not None
        else None
        for one in changes
    ]


def _place(scale: Scale, value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else scale.place(value)


def _ends(cells: Iterable[Cell]) -> list[float]:
    return list(_finite(end for cell in cells for end in (cell.value, cell.low, cell.high)))


def _finite(values: Iterable[float | None]) -> Iterator[float]:
    return (value for value in values if value is not None and math.isfinite(value))


def _scale(values: list[float]) -> Scale | None:
    least, most = min(values, default=0.0), max(values, default=0.0)
    return Scale(least, most) if most > least else None
