"""`lst-robust show`: one record, checked, for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from lst_robust.cli import options as opt
from lst_robust.cli.console import out, plain_table, print_json

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
    from lst_robust.errors import DataError
    from lst_robust.records.store import read_record

    if path.is_dir():
        raise DataError(f"{path} is a folder: give a file of records in it, such as {path / 'run.parquet'}")
    try:
        record = read_record(path, cell)
    except DataError as error:
        raise DataError(f"{error}; measure the cell again with lst-robust eval") from error
    numbers = {
        "top1_error": record.top1_error,
        "top5_error": record.top5_error,
        "ece": None if record.calibration is None else record.calibration.ece(),
        "brier": None if record.calibration is None else record.calibration.brier,
        "correct": int(record.correct_bits().sum()),
    }
    if json:
        print_json({**record.model_dump(mode="json"), "numbers": numbers})
        return
    table = plain_table(title=escape(f"{record.model.name} on {record.protocol.suite}: {record.cell.name}"))
    table.show_header = False
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    units = {"top1_error": " %", "top5_error": " %", "ece": " %", "correct": f" of {record.protocol.n} images"}
    for key, value in numbers.items():
        digits = "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
        table.add_row(key, digits + ("" if value is None else units.get(key, "")))
    for part in ("model", "protocol", "provenance"):
        table.add_section()
        for key, value in getattr(record, part).model_dump().items():
            table.add_row(f"{part}.{key}", escape(_text(value)))
    out.print(table)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items()) or "-"
    return "-" if value is None else str(value)


show_command.__doc__ = HELP
