"""`lst-robust show`: one record, checked, for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lst_robust.cli import options as opt
from lst_robust.cli.console import out, print_json
from lst_robust.errors import DataError
from lst_robust.records.folder import read_record
from lst_robust.reporting.views.record import record_numbers, record_view

HELP = """Show what one cell's record holds: the numbers, and how they came about.

The record is checked as whenever one is read: damaged or contradictory files are refused.

**Examples**

- `lst-robust show results/digits-c/lst18/n500-seed0-0123456789ab/run.parquet --cell fog-3`
- `lst-robust show fog-3.json --json`
"""


def show_command(
    path: Annotated[Path, typer.Argument(metavar="RECORD", help="A run.parquet, or a cell's JSON file beside it.")],
    cell: Annotated[
        str | None, typer.Option("--cell", help="Of a run.parquet: the cell, such as fog-3 or clean.")
    ] = None,
    json: opt.Json = False,
) -> None:
    if path.is_dir():
        raise DataError(f"{path} is a folder: give a file of records in it, such as {path / 'run.parquet'}")
    try:
        record = read_record(path, cell)
    except DataError as error:
        raise DataError(f"{error}; measure the cell again with lst-robust eval") from error
    if json:
        print_json({**record.model_dump(mode="json"), "numbers": record_numbers(record)})
    else:
        out.print(record_view(record))


show_command.__doc__ = HELP
