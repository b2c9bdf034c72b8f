"""The look that the tables of all commands share."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import TextType


def plain_table(*heads: str, title: TextType | None = None) -> Table:
    """A table without a frame, narrow enough for 80 characters where its text allows."""
    return Table(
        *heads,
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
