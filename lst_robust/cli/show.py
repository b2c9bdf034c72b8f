"""`lst-robust show`: one record, checked, for people."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lst_robust.cli import options as opt
from lst_robust.cli.console import out, print_json
from lst_robust.errors import DataError, UsageError
from lst_robust.records.folder import read_record
from lst_robust.reporting.views.record import record_numbers, record_view

HELP = """Show what one cell's record holds: the numbers, and how they came about.

The record is checked as whenever one is read: damaged or contradictory files are refused.

**Examples**

- `lst-robust show results/digits-c/lst18/n500-seed0-0123456789ab/run.parquet --cell fog-3`
- `lst-robust show fog-3.json --json`
"""


RECORDS = (".parquet", ".json")


def show_command(
    path: Annotated[Path, typer.Argument(metavar="RECORD", help="A run.parquet, or a cell's JSON file beside it.")],
    cell: Annotated[
        str | None, typer.Option("--cell", help="Of a run.parquet: the cell, such as fog-3 or clean.")
    ] = None,
    json: opt.Json = False,
) -> None:
    if path.is_dir():
        raise DataError(f"{path} is a folder: give a file of records in it, such as {path / 'run.parquet'}")
    if path.suffix not in RECORDS:
        raise UsageError(f"{path} is no file of records: give a run.parquet, or the JSON file of a cell")
    if not os.path.lexists(path):
        raise DataError(f"there is no file {path}: give one that lst-robust eval has written below its results folder")
    try:
        record = read_record(path, cell)
    except DataError as error:
        raise DataError(f"{error}; measure the cell again with lst-robust eval") from error
    if cell is not None and record.cell.name != cell:
        raise UsageError(f"{path} holds {record.cell.name}, not {cell}: leave out --cell, or give another file")
    if json:
        print_json({**record.model_dump(mode="json"), "numbers": record_numbers(record)})
    else:
        out.print(record_view(record))


show_command.__doc__ = HELP
