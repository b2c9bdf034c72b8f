"""Which columns of a table hold images and labels, and tables that have none."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from lst_robust.data.image_columns import Columns, find_columns, members_of
from lst_robust.data.shards import Member
from lst_robust.errors import DataError
from tests.fixtures.shards import table

SHARD = Path("a.parquet")
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
OTHER_WAY_ROUND = pa.struct([("path", pa.large_string()), ("bytes", pa.large_binary())])


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ([("image", IMAGE), ("label", pa.int64())], ("image", "label")),
        ([("__key__", pa.string()), ("webp", OTHER_WAY_ROUND), ("cls", pa.int8())], ("webp", "cls")),
        ([("image", IMAGE), ("mask", IMAGE), ("labels", pa.uint16())], ("image", "labels")),
        ([("image", IMAGE)], ("image", None)),
    ],
)
def test_columns_are_known_by_type_and_name(fields, found):
    assert find_columns(pa.schema(fields), SHARD) == Columns(*found, None)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            [("text", pa.string()), ("label", pa.int64())],
            r"no column of images, but the columns text \(string\), l",
        ),
        ([], "no column of images, but the columns none"),
        ([("image", pa.binary())], r"no column of images, but the columns image \(binary\)"),
        ([("image", pa.list_(pa.uint8()))], r"but the columns image \(list<"),
        ([("image", pa.struct([("bytes", pa.binary())]))], "no column of images"),
        ([("a", IMAGE), ("b", IMAGE)], r"several columns of images \(a, b\)"),
        (
            [("image", IMAGE), ("label", pa.string())],
            "label of a.parquet is of the type string, not of integers",
        ),
        ([("image", IMAGE), ("label", pa.float32())], "is of the type float, not of integers"),
    ],
)
def test_other_tables_are_refused(fields, words):
    with pytest.raises(DataError, match=words) as refused:
        find_columns(pa.schema(fields), SHARD)
    assert "\n" not in str(refused.value)


def test_class_names_are_those_that_are_noted():
    assert find_columns(table([], ["cat", "dog"]).schema, SHARD).class_names == ("cat", "dog")
    for note in (b"{", b"[" * 100_000, b"[]", b'{"info": {"features": {"label": {"names": 3}}}}'):
        schema = table([]).schema.with_metadata({b"huggingface": note})
        assert find_columns(schema, SHARD).class_names is None


def test_shards_of_two_data_sets_are_refused():
    before = find_columns(table([], ["cat", "dog"]).schema, SHARD)
    assert find_columns(table([], ["cat", "dog"]).schema, SHARD, before) == before
    with pytest.raises(DataError, match="other columns or other classes than the shards before it"):
        find_columns(table([], ["dog", "cat"]).schema, SHARD, before)


def test_an_image_without_a_path_has_no_id():
    content = table([("a.jpg", b"", 1), (None, b"", 2)])
    columns = find_columns(content.schema, SHARD)
    (batch,) = content.to_batches()
    assert list(members_of(batch.slice(0, 1), columns, SHARD, 0)) == [Member("a.jpg", 1, SHARD)]
    with pytest.raises(DataError, match=r"row 8 of a\.parquet names no path of its image"):
        list(members_of(batch, columns, SHARD, 7))
