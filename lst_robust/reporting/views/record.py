"""One cell's record: the numbers, and how they came about."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from lst_robust.records.record import Record
from lst_robust.reporting.escaping import terminal
from lst_robust.reporting.views.layout import plain_table


def record_numbers(record: Record) -> dict[str, float | int | None]:
    """What follows from the record's outcomes; None for what a record of an earlier release does not hold."""
    calibration = record.calibration
    return {
        "top1_error": record.top1_error,
        "top5_error": record.top5_error,
        "ece": None if calibration is None else calibration.ece(),
        "brier": None if calibration is None else calibration.brier,
        "correct": int(record.correct_bits().sum()),
    }


def record_view(record: Record) -> Table:
    """A table of two columns: names and values, the numbers first, then model, protocol and provenance."""
    table = plain_table(
        title=terminal(f"{record.model.name} on {record.protocol.suite}: {record.cell.name}", style="table.title")
    )
    table.show_header = False
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    units = {"top1_error": " %", "top5_error": " %", "ece": " %", "correct": f" of {record.protocol.n} images"}
    for key, value in record_numbers(record).items():
        digits = "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
        table.add_row(key, digits + ("" if value is None else units.get(key, "")))
    for part in ("model", "protocol", "provenance"):
        table.add_section()
        for key, value in getattr(record, part).model_dump().items():
            table.add_row(f"{part}.{key}", terminal(_text(value)))
    return table


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items()) or "-"
    return "-" if value is None else str(value)
