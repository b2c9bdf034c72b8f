"""Corruptions in the field's order, by group, and how small multiples of them stand on a figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lst_robust.benchmark import groups, known_corruptions, label_of
from lst_robust.benchmark import group_of as group_of_corruption
from lst_robust.reporting.figures.names import plain

COLUMNS = 4  # most groups of the field have four corruptions


def in_order(corruptions: Iterable[str]) -> list[str]:
    """Each once: those that are known here in the order of their groups, then others as they come."""
    given = list(dict.fromkeys(corruptions))
    known = [name for names in groups().values() for name in names]
    return [name for name in known if name in given] + [name for name in given if name not in known]


def grouped(corruptions: Iterable[str]) -> dict[str, list[str]]:
    """Group -> its corruptions, in order."""
    found: dict[str, list[str]] = {}
    for name in in_order(corruptions):
        found.setdefault(group_of_corruption(name), []).append(name)
    return found


def label(corruption: str) -> str:
    """The short name of a corruption; of a record made elsewhere, its own name."""
    return label_of(corruption) if corruption in known_corruptions() else plain(corruption)


def placed(corruptions: Sequence[str]) -> list[list[str | None]]:
    """Rows of `COLUMNS` places or fewer. A row holds one group, unless that left over a third of the places empty; a
    place without a corruption is None. Rows are equally long."""
    by_group = list(grouped(corruptions).values())
    rows = [names[start : start + COLUMNS] for names in by_group for start in range(0, len(names), COLUMNS)]
    columns = max(map(len, rows))
    total = sum(map(len, rows))
    if len(rows) * columns * 2 > total * 3:
        flat = [name for names in by_group for name in names]
        columns = min(COLUMNS, total)
        rows = [flat[start : start + columns] for start in range(0, total, columns)]
    return [[*row, *[None] * (columns - len(row))] for row in rows]
