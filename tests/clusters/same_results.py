"""Whether two results folders say the same, whoever measured them: records without their provenance."""

from __future__ import annotations

from pathlib import Path

from lst_robust.records.store import Store


def outcomes(results: Path) -> dict[tuple[str, str], str]:
    """Every finished cell below a results folder, by the digest of its run and its name -> its record as JSON, with the
    outcome of every image, and without its provenance, which says when, where and how fast it was measured."""
    return {
        (run.digest, cell.name): record.model_copy(update={"provenance": None}).model_dump_json()
        for run, records in Store(results).scan(None, predictions=True)
        for cell, record in records.items()
    }


def differences(first: Path, second: Path) -> list[str]:
    """A line for each cell that only one of the folders has, or that has other outcomes in the other; none: equal."""
    one, two = outcomes(first), outcomes(second)
    assert one and two, "a folder without any record is equal to none"
    return [
        f"{run} {cell}: {'only in ' + str(first if (run, cell) in one else second)}"
        if (run, cell) not in one or (run, cell) not in two
        else f"{run} {cell}: other outcomes"
        for run, cell in sorted(one.keys() | two.keys())
        if one.get((run, cell)) != two.get((run, cell))
    ]


def leftovers(results: Path) -> list[Path]:
    """What a run that is over should not leave: files of single cells beside a packed run, and temporary ones."""
    return [path for path in results.rglob("*") if path.suffix in {".json", ".tmp", ".part"}]
