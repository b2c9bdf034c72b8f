"""A robustness table for the terminal: one row a model where that fits, otherwise one row a corruption.

With all 19 corruptions a row a model needs about 190 columns, so in a usual window the table stands on its
side, with the models beside each other, and in several parts when there are many of them. Of very many models, such as
a published set, it shows the means alone, one row a model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from lst_robust.reporting.columns import is_summary, label
from lst_robust.reporting.escaping import plain, terminal
from lst_robust.reporting.formatting import LEGEND, formatted
from lst_robust.reporting.tables import TableGroup, columns_of

MAX_NAME = 18  # longer words of a model's name are folded in the head of a table on its side
MIN_COLUMN = 6  # "100.00"
MANY = 30  # models; of more than these a table on its side would have too many parts to be read
MEANS_ONLY = "Only the means, because there are {} models. All columns: --format csv; fewer published rows: --match."
GAP = 2  # between columns


class TerminalTables:
    """The groups of a table as a rich renderable that suits itself to the console's width."""

    def __init__(self, groups: Sequence[TableGroup], notes: Sequence[str] = ()) -> None:
        self._groups, self._notes = groups, notes

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for group in self._groups:
            text = formatted(group, "[bold]{}[/bold]", "\n[dim]{:.1f}–{:.1f}[/dim]", spread="±{}")
            yield terminal(group.caption, style="bold")
            upright = _upright(text)
            if Measurement.get(console, options.update(width=10_000), upright).maximum <= options.max_width:
                yield upright
            elif len(text) > MANY:
                yield _upright(_means(text), fold=True)
                yield Text(MEANS_ONLY.format(len(text)), style="dim")
            else:
                yield from _on_its_side(text, options.max_width)
            for note in group.notes:
                yield terminal(note, style="dim")
            yield Text()
        for note in self._notes:
            yield terminal(note)
        yield Text(LEGEND, style="dim")


def _means(text: pd.DataFrame) -> pd.DataFrame:
    """The columns that stand before those of the corruptions."""
    return text[[column for column in text.columns if is_summary(column[1])]]


def _upright(text: pd.DataFrame, *, fold: bool = False) -> Table:
    """One row a model; the name of a group of columns stands above the first of them. fold: long names of models are
    folded, so that the numbers have room."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("\nModel", no_wrap=not fold, overflow="fold")
    before = ""
    for part, quantity in columns_of(text):
        head = Text(f"{plain(part) if part != before else ''}\n{plain(label(quantity))}")
        table.add_column(head, justify="right", no_wrap=True)
        before = part
    for row, name in enumerate(text.index):
        table.add_row(terminal(name), *(str(value) for value in text.iloc[row]))
    return table


def _on_its_side(text: pd.DataFrame, width: int) -> Iterator[Table]:
    """One row a quantity and one column a model, in as many tables as the width asks for."""
    rows = [(part, label(quantity)) for part, quantity in columns_of(text)]
    last_summary = sum(is_summary(quantity) for _, quantity in columns_of(text)) - 1
    names = [plain(name) for name in text.index]
    longest = [max(len(line) for cell in text.iloc[i] for line in _lines(str(cell))) for i in range(len(names))]
    widths = [
        max(shown, min(MAX_NAME, max(MIN_COLUMN, *map(len, name.split()))))
        for name, shown in zip(names, longest, strict=True)
    ]
    room = width - sum(max(len(row[i]) for row in rows) + GAP for i in range(2))
    for models in _chunks([w + GAP for w in widths], room):
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
        table.add_column()
        table.add_column()
        for model in models:
            table.add_column(Text(names[model], overflow="fold"), justify="right", width=widths[model])
        for row, (part, name) in enumerate(rows):
            begins = row == 0 or rows[row - 1][0] != part
            cells = (str(text.iat[model, row]) for model in models)
            table.add_row(terminal(part if begins else ""), terminal(name), *cells, end_section=row == last_summary)
        yield table


def _lines(markup: str) -> list[str]:
    return Text.from_markup(markup).plain.splitlines() or [""]


def _chunks(widths: Sequence[int], room: int) -> list[list[int]]:
    """The indices of the columns that stand side by side, in as few tables as the room allows (at least one model in
    each), and as evenly as possible."""
    chunks = _greedy(widths, room)
    while len(even := _greedy(widths, room - 1)) == len(chunks) and room > 0:
        chunks, room = even, room - 1
    return chunks


def _greedy(widths: Sequence[int], room: int) -> list[list[int]]:
    chunks: list[list[int]] = [[]]
    used = 0
    for index, width in enumerate(widths):
        if chunks[-1] and used + width > room:
            chunks.append([])
            used = 0
        chunks[-1].append(index)
        used += width
    return chunks
