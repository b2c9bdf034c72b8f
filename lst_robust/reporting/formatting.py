"""How a table's values are written: the digits, the marks, the ends of intervals."""

from __future__ import annotations

import math

import pandas as pd

from lst_robust.reporting.tables import TableGroup, best, columns_of, decimals

LEGEND = "All values are percentages, lower is better; the best model's value is bold."
MISSING = "–"


def formatted(group: TableGroup, bold: str, interval: str, spread: str = " ± {}") -> pd.DataFrame:
    """The group's values as text; `bold` is a template such as "**{}**" for the best ones, `interval` one such as
    " [{:.1f}, {:.1f}]" for the ends of an interval, which follow a value, and `spread` one for the standard deviation
    over trainings, which stands between the two."""
    marks = best(group)
    text = pd.DataFrame("", index=group.frame.index, columns=group.frame.columns)
    for column, (_, quantity) in enumerate(columns_of(group.frame)):
        digits = decimals(group, quantity)
        lows, highs = group.intervals.get(quantity, ((), ()))
        spreads = group.spreads.get(quantity, [math.nan] * len(group.frame))
        for row, value in enumerate(group.frame.iloc[:, column]):
            shown = MISSING if pd.isna(value) else f"{value:.{digits}f}"
            marked = bold.format(shown) if marks.iloc[row, column] else shown
            if not pd.isna(spreads[row]) and not pd.isna(value):
                marked += spread.format(f"{spreads[row]:.{digits}f}")
            stated = bool(lows) and not pd.isna(lows[row]) and not pd.isna(value)
            text.iloc[row, column] = marked + (interval.format(lows[row], highs[row]) if stated else "")
    text.index = pd.Index(names_of(group))
    return text


def names_of(group: TableGroup) -> list[str]:
    """The models' names, with the number of trainings that a row is the mean of, such as "lst20 (3 trainings)"."""
    return [
        str(name) if math.isnan(count) else f"{name} ({count:.0f} trainings)"
        for name, count in zip(group.frame.index, group.trainings, strict=True)
    ]
