"""The cells of one run from several folders, united."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from lst_robust.benchmark import Cell
from lst_robust.records.outcomes import Conflict, noted, order, same_outcome
from lst_robust.records.record import Record
from lst_robust.records.run_content import RunContent


class Found(NamedTuple):
    """One measurement of a cell, and the file that it is in."""

    record: Record
    path: Path


@dataclass
class United:
    """The cells of a run from all folders.

    there: what is in the folder that gets them. records, files: of all cells.
    new: the cells that are not there. replaced: those that are there otherwise.
    equal: how many measurements of the other folders say no more than what is kept.
    """

    there: RunContent
    records: dict[Cell, Record] = field(default_factory=dict)
    files: dict[Cell, Path] = field(default_factory=dict)
    new: set[Cell] = field(default_factory=set)
    replaced: set[Cell] = field(default_factory=set)
    equal: int = 0


def unite(there: RunContent, others: Sequence[RunContent], *, newest: bool) -> tuple[United, list[Conflict]]:
    """newest: of a cell with two outcomes keep the one that was measured last. Otherwise it is a conflict."""
    united, conflicts = United(there), []
    found: dict[Cell, list[Found]] = {}
    for content in (there, *others):
        for cell, record in content.records.items():
            found.setdefault(cell, []).append(Found(record, content.files[cell]))
    for cell, all_of_cell in found.items():
        different = _different(all_of_cell)
        if different is not None and not newest:
            conflicts.append(Conflict(cell, different[0].path, different[1].path))
            continue
        kept = _kept(all_of_cell, max(all_of_cell, key=lambda one: order(one.record)) if different else None)
        united.records[cell], united.files[cell] = kept
        before = there.records.get(cell)
        if before is None:
            united.new.add(cell)
        elif before is not kept.record:
            united.replaced.add(cell)
        same = [one for one in all_of_cell if one.record is not before and same_outcome(one.record, kept.record)]
        united.equal += len(same) - (before is not kept.record)
    return united, conflicts


def _different(found: Sequence[Found]) -> tuple[Found, Found] | None:
    """Two measurements that contradict each other."""
    for first, second in combinations(found, 2):
        if not same_outcome(first.record, second.record):
            return first, second
    return None


def _kept(found: Sequence[Found], winner: Found | None) -> Found:
    """The first that has the winner's outcome, where there is one to win. Of these a later one that notes more."""
    fitting = [one for one in found if winner is None or same_outcome(one.record, winner.record)]
    kept = fitting[0]
    for one in fitting[1:]:
        if noted(one.record) > noted(kept.record):
            kept = one
    return kept
