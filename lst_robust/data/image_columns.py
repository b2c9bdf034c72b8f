"""Tables of images as Hugging Face's library writes them: a column of {bytes, path}, and a column of labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pyarrow import types

from lst_robust.data.shards import Member
from lst_robust.errors import DataError

LABELS = ("label", "labels", "cls")
LAYOUT = "a table of images has a column image of {bytes, path} and a column label of integers"


class Columns(NamedTuple):
    """The names of the columns, `label` being None where there is none, and what the labels count, if that is said."""

    image: str
    label: str | None
    class_names: tuple[str, ...] | None


def find_columns(schema: pa.Schema, shard: Path, before: Columns | None = None) -> Columns:
    """DataError for a table without images, for columns of other types, and for others than those of the shards
    `before`."""
    images = [field.name for field in schema if _is_image(field.type)]
    if not images or (len(images) > 1 and "image" not in images):
        columns = ", ".join(f"{field.name} ({field.type})" for field in schema)
        which = "no column of images" if not images else f"several columns of images ({', '.join(images)})"
        raise DataError(f"{shard} has {which}, but the columns {columns[:300] or 'none'}: {LAYOUT}")
    label = next((name for name in LABELS if name in schema.names), None)
    if label is not None and not types.is_integer(schema.field(label).type):
        kind = schema.field(label).type
        raise DataError(f"the column {label} of {shard} is of the type {kind}, not of integers: {LAYOUT}")
    image = "image" if "image" in images else images[0]
    found = Columns(image, label, None if label is None else _class_names(schema, label))
    if before not in (None, found):
        raise DataError(
            f"{shard} has other columns or other classes than the shards before it: give shards of one data set"
        )
    return found


def members_of(batch: pa.RecordBatch, columns: Columns, shard: Path, first: int) -> Iterator[Member]:
    """The images of a part of a table that has at least the paths and the labels. first: the number of its first row.

    DataError for an image without a path, from which its id follows.
    """
    paths = batch.column(batch.schema.get_field_index(columns.image)).field("path").to_pylist()
    labels = [None] * len(paths)
    if columns.label is not None:
        labels = batch.column(batch.schema.get_field_index(columns.label)).to_pylist()
    for row, (path, label) in enumerate(zip(paths, labels, strict=True), start=first):
        if not path:
            raise DataError(
                f"row {row} of {shard} names no path of its image, from which its id and its noise follow: save the "
                "data set with the paths"
            )
        yield Member(path, label, shard)


def bytes_of(value: pa.Scalar, shard: Path) -> bytes:
    """The bytes of one image, from the column's field `bytes`."""
    content = value.as_py()
    if content is None:
        raise DataError(f"{shard} names an image without its bytes: save the data set with the images inside")
    return bytes(content)


def _is_image(kind: pa.DataType) -> bool:
    if not types.is_struct(kind):
        return False
    fields = {kind.field(number).name: kind.field(number).type for number in range(kind.num_fields)}
    content, path = fields.get("bytes"), fields.get("path")
    return (
        content is not None
        and path is not None
        and (types.is_binary(content) or types.is_large_binary(content))
        and (types.is_string(path) or types.is_large_string(path))
    )


def _class_names(schema: pa.Schema, label: str) -> tuple[str, ...] | None:
    """From what the library notes in the table."""
    try:
        noted = json.loads((schema.metadata or {})[b"huggingface"])
        names = noted["info"]["features"][label]["names"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return None
    return tuple(map(str, names)) if isinstance(names, list) else None
