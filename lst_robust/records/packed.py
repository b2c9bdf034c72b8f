"""The file of a run that is complete: `run.parquet`, one row a cell, which pandas and many others read.

Its metadata hold what is known of the run (the content of `run.json`), and a hash of the whole file: a changed bit
anywhere is found when the file is read. (Parquet's own checksums leave out its headers, which decide what the data
mean.)
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import parquet
from pydantic import ValidationError

from lst_robust.benchmark import CLEAN_CELL, Cell, known_corruptions
from lst_robust.errors import DataError, message_of
from lst_robust.records.cell_file import checked_record
from lst_robust.records.record import Record, packed, packed_classes, packed_confidences
from lst_robust.records.run_file import RunFile
from lst_robust.runtime.files import require_file
from lst_robust.schema import first_mistake

KEY, DIGEST = b"lst_robust_run", b"lst_robust_run_sha256"
FILE_KEY = b"lst_robust_file"
FILE_DIGEST = b'{"sha256_with_zeros_here": "'  # no other part of the metadata has a space after a colon
ZEROS = b"0" * 64
PREDICTIONS = ("predicted", "confidence")
CALIBRATION = pa.struct(
    [
        ("count", pa.list_(pa.int64())),
        ("confidence", pa.list_(pa.float64())),
        ("correct", pa.list_(pa.int64())),
        ("brier", pa.float64()),
    ]
)
PROVENANCE = ("device", "transform", "git_revision", "versions", "seconds", "images_per_second", "finished")


class DamagedError(DataError):
    """The file could be read, and is not as it was written."""


class PackedRun(NamedTuple):
    """The content of a `run.parquet`."""

    run_file: RunFile
    records: dict[Cell, Record]


def packed_run(run_file: RunFile, records: Mapping[Cell, Record]) -> bytes:
    """The content of the file: the clean cell first, then the corruptions in their usual order. The same records give
    the same bytes."""
    order = {name: position for position, name in enumerate(known_corruptions())}
    cells = sorted(records, key=lambda cell: (cell != CLEAN_CELL, order.get(cell.corruption, len(order)), cell))
    rows = [records[cell] for cell in cells]
    head = run_file.model_dump_json().encode()
    table = pa.table(_columns(rows))
    file = io.BytesIO()
    options = {"compression": "zstd", "write_statistics": False, "store_schema": False}
    with parquet.ParquetWriter(file, table.schema, **options) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({KEY: head, DIGEST: _sha256(head), FILE_KEY: FILE_DIGEST + ZEROS + b'"}'})
    content = file.getvalue()
    return _with_file_digest(content, _sha256(content))


def read_run_file(path: Path) -> RunFile:
    """What a `run.parquet` says of its run, without reading its cells. DataError where it cannot be trusted."""
    try:
        require_file(path)
        with path.open("rb") as file:
            return run_file_in(parquet.read_schema(file).metadata or {}, path)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise _refused(path, error) from error


def read_packed_run(path: Path, *, predictions: bool = False) -> PackedRun:
    """The checked content of a `run.parquet`. predictions: also the predicted class and confidence of each image, which
    few need and which take most of the space.

    Raises DataError, one line, when the file cannot be read, and DamagedError when it cannot be trusted.
    """
    try:
        require_file(path)
        content = path.read_bytes()
    except OSError as error:
        raise _refused(path, error) from error
    return unpacked_run(content, path, predictions=predictions)


def unpacked_run(content: bytes, path: Path, *, predictions: bool = False) -> PackedRun:
    """As `read_packed_run`, from the bytes of the file. path: for the message."""
    try:
        if not is_as_written(content):
            raise DamagedError(f"{path}: damaged (it is not as it was written)")
        with parquet.ParquetFile(pa.BufferReader(content)) as file:
            run_file = run_file_in(file.schema_arrow.metadata or {}, path)
            wanted = [name for name in file.schema_arrow.names if predictions or name not in PREDICTIONS]
            table = file.read(wanted, use_threads=False).combine_chunks()
        records = [checked_record(path, fields) for fields in _rows(table, run_file)]
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise _refused(path, error) from error
    return PackedRun(run_file, {record.cell: record for record in records})


def is_as_written(content: bytes) -> bool:
    """Whether the hash of the file's bytes is the one that it notes of itself."""
    start = content.rfind(FILE_DIGEST) + len(FILE_DIGEST)
    view = memoryview(content)  # parts of it are no copies
    digest = hashlib.sha256(view[:start])
    digest.update(ZEROS)
    digest.update(view[start + len(ZEROS) :])
    return digest.hexdigest().encode() == content[start : start + len(ZEROS)]


def _with_file_digest(content: bytes, digest: bytes) -> bytes:
    before, mark, after = content.rpartition(FILE_DIGEST)
    return before + mark + digest + after[len(digest) :]


def run_file_in(metadata: Mapping[bytes, bytes], path: Path) -> RunFile:
    """What the metadata of the file at `path` say of its run; DamagedError where they cannot be trusted."""
    head = metadata.get(KEY)
    if head is None or metadata.get(DIGEST) != _sha256(head):
        raise DamagedError(f"{path}: damaged (it does not say of which run it is)")
    try:
        return RunFile.model_validate_json(head)
    except ValidationError as error:
        raise DamagedError(f"{path}: damaged ({first_mistake(error)})") from error


def _columns(rows: list[Record]) -> dict[str, pa.Array]:
    widest = max((classes.max() for row in rows if (classes := row.predicted_classes()) is not None), default=0)
    class_type = next(kind for kind in (pa.uint8(), pa.uint16(), pa.uint32()) if widest < 2**kind.bit_width)
    return {
        "corruption": pa.array([row.corruption for row in rows], pa.string()),
        "severity": pa.array([row.severity for row in rows], pa.int8()),
        "top1_error": pa.array([row.top1_error for row in rows], pa.float64()),
        "top5_error": pa.array([row.top5_error for row in rows], pa.float64()),
        "correct": pa.array([row.correct_bits() for row in rows], pa.list_(pa.bool_())),
        "predicted": pa.array([row.predicted_classes() for row in rows], pa.list_(class_type)),
        "confidence": pa.array([row.confidences() for row in rows], pa.list_(pa.float16())),
        "calibration": pa.array(
            [None if row.calibration is None else row.calibration.model_dump() for row in rows], CALIBRATION
        ),
        "pixels": pa.array([row.pixels for row in rows], pa.string()),
        **{name: pa.array([_noted(row, name) for row in rows]) for name in PROVENANCE},
    }


def _noted(record: Record, name: str) -> Any:
    value = getattr(record.provenance, name)
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value


def _rows(table: pa.Table, run_file: RunFile) -> list[dict[str, Any]]:
    """The fields of each record."""
    per_image = {"correct": packed, "predicted": packed_classes, "confidence": packed_confidences}
    present = [name for name in per_image if name in table.column_names]
    plain = table.drop_columns(present).to_pylist()
    for name in present:
        for fields, values in zip(plain, table.column(name), strict=True):
            array = values.values.to_numpy(zero_copy_only=False) if values.is_valid else None
            fields[name] = None if array is None else per_image[name](array)
    for fields in plain:
        provenance = {name: fields.pop(name) for name in PROVENANCE}
        fields["provenance"] = provenance | {"versions": json.loads(provenance["versions"])}
        fields |= {"protocol": run_file.protocol, "model": run_file.model}
    return plain


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _refused(path: Path, error: Exception) -> DataError:
    if isinstance(error, OSError) and error.strerror:
        return DataError(f"{path}: cannot be read ({error.strerror})")
    return DamagedError(f"{path}: damaged ({message_of(error)})")
