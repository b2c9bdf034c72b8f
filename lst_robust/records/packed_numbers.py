"""The numbers of a complete run, straight from the columns of its `run.parquet`: no record is made of any cell.

The file's digest proves that it is as it was written. What `Record` asks of its fields is asked here of whole columns.
Whatever this does not understand is left to `read_packed_run`, which says what is wrong, if anything is.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from lst_robust.benchmark import CLEAN, CLEAN_CELL, NAME, SEVERITIES, Cell
from lst_robust.errors import DataError
from lst_robust.records.confidence import BINS
from lst_robust.records.numbers import CalibrationNumbers, CellNumbers, Measurement
from lst_robust.records.packed import PREDICTIONS, is_as_written, run_file_in
from lst_robust.records.run_file import RunFile
from lst_robust.runtime.files import require_file


def _list_of(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", kind))


TEXT_OR_NONE = {pa.string(), pa.null()}
TYPES: dict[str, set[pa.DataType]] = {  # what the columns that are read may be
    "corruption": {pa.string()},
    "severity": {pa.int8()},
    "top1_error": {pa.float64()},
    "top5_error": {pa.float64()},
    "correct": {_list_of(pa.bool_())},
    "calibration": {
        pa.struct(
            [
                ("count", _list_of(pa.int64())),
                ("confidence", _list_of(pa.float64())),
                ("correct", _list_of(pa.int64())),
                ("brier", pa.float64()),
            ]
        )
    },
    "pixels": TEXT_OR_NONE,
    "device": {pa.string()},
    "transform": TEXT_OR_NONE,
    "git_revision": TEXT_OR_NONE,
    "versions": {pa.string()},
    "seconds": {pa.float64()},
    "images_per_second": {pa.float64()},
    "finished": {pa.string()},
}
MAY_LACK = {"top5_error", "calibration", "pixels", "transform", "git_revision"}
ROUNDING = 1e-9, 1e-6  # as `Record` and `Calibration` allow for


class NotPlainError(Exception):
    """The file is to be read cell by cell."""


class PackedNumbers(NamedTuple):
    """numbers: by cell, in the order of the file; correct: uint8 (cells, ⌈n / 8⌉), which images were classified
    correctly, one bit each, big-endian."""

    run_file: RunFile
    numbers: dict[Cell, CellNumbers]
    correct: np.ndarray


def read_packed_numbers(path: Path) -> PackedNumbers | None:
    """What the file says, checked as `read_packed_run` checks it; None where that has to read it."""
    with suppress(OSError, pa.ArrowException, DataError, NotPlainError, KeyError, ValueError, TypeError):
        require_file(path)
        content = path.read_bytes()
        _require(is_as_written(content))
        with parquet.ParquetFile(pa.BufferReader(content)) as file:
            schema = file.schema_arrow
            _require([name for name in schema.names if name not in PREDICTIONS] == list(TYPES))
            run_file = run_file_in(schema.metadata or {}, path)
            table = file.read(list(TYPES), use_threads=False).combine_chunks()
        for name, types in TYPES.items():
            column = table.column(name)
            _require(column.type in types and (name in MAY_LACK or column.null_count == 0))
        return _numbers(table, run_file)
    return None


def _numbers(table: pa.Table, run_file: RunFile) -> PackedNumbers:
    rows, n = table.num_rows, run_file.protocol.n
    values = {name: table.column(name).to_pylist() for name in ("corruption", "severity", "pixels", "device")}
    cells = [_cell(*place) for place in zip(values["corruption"], values["severity"], strict=True)]
    _require(rows > 0 and len(set(cells)) == rows)
    for text in set(table.column("versions").to_pylist()):
        _check_versions(text)
    correct = _lists(table.column("correct").chunk(0), n)
    right = np.count_nonzero(correct, axis=1)
    top1, top5 = table.column("top1_error").to_numpy(), table.column("top5_error").to_pylist()
    _require(bool((np.abs(100 * (n - right) / n - top1) <= ROUNDING[0]).all() and (top1 >= 0).all()))
    _require(bool((top1 <= 100).all()))
    errors = top1.tolist()
    _require(all(five is None or 0 <= five <= one for five, one in zip(top5, errors, strict=True)))
    calibration = _calibration(table.column("calibration").chunk(0), right, n)
    speeds = table.column("images_per_second").to_pylist()
    measured = map(Measurement, values["device"], speeds)
    numbers = map(CellNumbers, errors, top5, calibration, values["pixels"], measured)
    return PackedNumbers(run_file, dict(zip(cells, numbers, strict=True)), np.packbits(correct, axis=1))


def _calibration(column: pa.StructArray, right: np.ndarray, n: int) -> list[CalibrationNumbers | None]:
    """As `Calibration` checks and computes them, for all cells together."""
    if column.null_count == len(column):
        return [None] * len(column)
    _require(column.null_count == 0)
    count, confidence, correct = (_lists(column.field(name), BINS) for name in ("count", "confidence", "correct"))
    brier = column.field("brier")
    _require(brier.null_count == 0 and bool(((brier.to_numpy() >= 0) & (brier.to_numpy() <= 2)).all()))
    _require(bool((count >= 0).all() and (correct >= 0).all() and (correct <= count).all()))
    _require(bool(((confidence >= 0) & (confidence <= count + ROUNDING[1])).all()))
    _require(bool((count.sum(axis=1) == n).all() and (correct.sum(axis=1) == right).all()))
    gaps = np.abs(correct - confidence).sum(axis=1).tolist()
    return [CalibrationNumbers(100 * gap / n, one) for gap, one in zip(gaps, brier.to_pylist(), strict=True)]


def _lists(column: pa.ListArray, length: int) -> np.ndarray:
    """(rows, length) of lists that all have this length."""
    _require(column.null_count == 0 and bool((np.diff(column.offsets.to_numpy()) == length).all()))
    values = column.flatten()
    _require(values.null_count == 0)
    return values.to_numpy(zero_copy_only=False).reshape(-1, length)


@lru_cache(maxsize=1024)
def _cell(corruption: str, severity: int) -> Cell:
    cell = Cell(corruption, severity)
    named = corruption != CLEAN and NAME.fullmatch(corruption) is not None
    _require(cell == CLEAN_CELL or (named and severity in SEVERITIES))
    return cell


@lru_cache(maxsize=256)
def _check_versions(text: str) -> None:
    versions = json.loads(text)
    _require(isinstance(versions, dict) and all(isinstance(version, str) for version in versions.values()))


def _require(holds: bool) -> None:
    if not holds:
        raise NotPlainError
