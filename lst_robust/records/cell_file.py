"""The file of one cell while its run is not complete: `<cell>.json`, which is small and holds nothing of the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from lst_robust.errors import DataError
from lst_robust.records.record import Record, Run
from lst_robust.runtime.files import require_file
from lst_robust.schema import first_mistake

SCHEMA: Literal[4] = 4
EARLIER_SCHEMAS = (1, 2, 3)  # one file a cell, with protocol and model in each, see lst_robust/records/migration.py
OF_THE_RUN = ("protocol", "model")


class EarlierReleaseError(DataError):
    """The file of a cell that an earlier release has written."""


def to_json(record: Record) -> bytes:
    """The content of a record's file. The run is named by its digest."""
    fields: dict[str, Any] = {"schema_version": SCHEMA, "run": record.run.digest}
    fields |= record.model_dump(mode="json", exclude=set(OF_THE_RUN))
    return (json.dumps(fields, indent=1) + "\n").encode()


def read_cell(path: Path, run: Run) -> Record:
    """The record of a run in a cell's file, checked.

    Raises DataError, one line, when it is damaged, or of another run or cell; EarlierReleaseError when it is sound, but
    an earlier release has written it.
    """
    data = read_json(path)
    schema = data.get("schema_version") if isinstance(data, Mapping) else None
    if schema in EARLIER_SCHEMAS:
        _require_place(path, read_earlier(path), run)  # a damaged one cannot be packed: its cell is measured again
        raise EarlierReleaseError(
            f"{path}: written by an earlier release; pack it with lst-robust migrate {path.parents[3]}"
        )
    if not isinstance(data, Mapping) or schema != SCHEMA:
        raise DataError(f"{path}: not a valid record (schema_version {schema!r} is unknown to this release)")
    fields = {key: value for key, value in data.items() if key not in ("schema_version", "run")}
    if data.get("run") != run.digest:
        raise DataError(f"{path}: belongs to another run")
    record = checked_record(path, fields | {"protocol": run.protocol, "model": run.model})
    _require_place(path, record, run)
    return record


def read_earlier(path: Path) -> Record:
    """The record in a file of an earlier release, checked; DataError in one line when it cannot be trusted.

    Schema 1 had no top-5 error, no calibration and no transform, which are None.
    """
    data = read_json(path)
    fields = dict(data) if isinstance(data, Mapping) else {}
    schema = fields.pop("schema_version", None)
    if schema not in EARLIER_SCHEMAS:
        raise DataError(f"{path}: not a record of an earlier release (schema_version {schema!r})")
    if schema == 1:
        provenance = fields.get("provenance")
        fields |= {"top5_error": None, "calibration": None}
        fields["provenance"] = {**provenance, "transform": None} if isinstance(provenance, Mapping) else provenance
    return checked_record(path, fields)


def is_of_earlier_release(path: Path) -> bool:
    """Whether the file says that an earlier release has written it."""
    with suppress(DataError):
        data = read_json(path)
        return isinstance(data, Mapping) and data.get("schema_version") in EARLIER_SCHEMAS
    return False


def read_json(path: Path) -> Any:
    """The data in a JSON file; DataError where it cannot be read or is none."""
    try:
        require_file(path)
        return json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: damaged (not JSON)") from error


def checked_record(path: Path, fields: Mapping[str, Any]) -> Record:
    """A record of these fields; DataError, one line, where they are not one. path: for the message."""
    try:
        return Record.model_validate(fields)
    except ValidationError as error:
        raise DataError(f"{path}: not a valid record ({first_mistake(error)})") from error
    except ValueError as error:
        raise DataError(f"{path}: not a valid record ({error})") from error


def _require_place(path: Path, record: Record, run: Run) -> None:
    if record.run.digest != run.digest:
        raise DataError(f"{path}: belongs to another run")
    if path.stem != record.cell.name:
        raise DataError(f"{path}: belongs to another cell, {record.cell.name}")
