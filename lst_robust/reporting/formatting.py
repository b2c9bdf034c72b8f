"""How a table's values are written: the digits, the marks, the ends of intervals."""

from __future__ import annotations

import pandas as pd

from lst_robust.reporting.tables import TableGroup, best, columns_of, decimals

LEGEND = "All values are percentages, lower is better; the best model's value is bold."
MISSING = "–"


def formatted(group: TableGroup, bold: str, interval: str) -> pd.DataFrame:
    """The group's values as text; `bold` is a template such as "**{}**" for the best ones, `interval` one such as
    " [{:.1f}, {:.1f}]" for the ends of an interval, which follow a value."""
    marks = best(group)
    text = pd.DataFrame("", index=group.frame.index, columns=group.frame.columns)
    for column, (_, quantity) in enumerate(columns_of(group.frame)):
        digits = decimals(group, quantity)
        lows, highs = group.intervals.get(quantity, ((), ()))
        for row, value in enumerate(group.frame.iloc[:, column]):
            shown = MISSING if pd.isna(value) else f"{value:.{digits}f}"
            marked = bold.format(shown) if marks.iloc[row, column] else shown
            stated = bool(lows) and not pd.isna(lows[row]) and not pd.isna(value)
            text.iloc[row, column] = marked + (interval.format(lows[row], highs[row]) if stated else "")
    return text
