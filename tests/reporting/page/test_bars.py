"""The places of the bars."""

from __future__ import annotations

import math

from lst_robust.reporting.page.bars import Bar, bar, change_bars, scales
from lst_robust.reporting.page.content import Board, Cell, Change, Column, Row


def board(*rows: Row) -> Board:
    return Board("c", (Column("mce15", "mCE"),), rows)


def test_all_rows_of_a_column_share_a_scale() -> None:
    made = board(Row("a", (Cell("10", 10.0, 0.0, 20.0),)), Row("b", (Cell("60", 60.0, 50.0, 90.0),)))
    (scale,) = scales(made)
    assert bar(made.rows[0], 0, scale) == Bar(13.0, 3.0, 23.0)
    assert bar(made.rows[1], 0, scale) == Bar(63.0, 53.0, 93.0)


def test_trainings_are_on_the_scale_and_are_marked() -> None:
    trainings = (Row("a@0", (Cell("0", 0.0),)), Row("a@1", (Cell("90", 90.0),)))
    made = board(Row("a", (Cell("45", 45.0),), trainings=trainings))
    assert bar(made.rows[0], 0, scales(made)[0]) == Bar(48.0, None, None, (3.0, 93.0))


def test_nothing_is_drawn_without_a_value_or_without_a_scale() -> None:
    made = board(Row("a", (Cell("–"),)), Row("b", (Cell("nan", math.nan),)), Row("c", (Cell("5", 5.0),)))
    assert scales(made) == [None]
    assert [bar(row, 0, None) for row in made.rows] == [None] * 3
    wider = board(*made.rows, Row("d", (Cell("7", 7.0),)))
    drawn = [bar(row, 0, scales(wider)[0]) for row in wider.rows]
    assert drawn[:2] == [None, None] and drawn[2] == Bar(3.0, None, None)


def test_differences_have_a_scale_with_zero() -> None:
    worse = Change("a", "s", "regression", "", difference=60.0, low=45.0, high=90.0)
    assert change_bars([worse, Change("b", "s", "missing", "")]) == [Bar(63.0, 48.0, 93.0, zero=3.0), None]
