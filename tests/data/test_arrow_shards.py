"""Arrow files, in both forms that Arrow has."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from lst_robust.data.arrow_shards import ArrowShards
from lst_robust.errors import DataError
from tests.fixtures.shards import jpeg, table, write_arrow

ROWS = [(f"{number}.jpg", jpeg(number), number) for number in range(11)]


def feather(path: Path, content: pa.Table) -> Path:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, content.schema) as writer:
        writer.write_table(content, max_chunksize=2)
    return path


def test_streams_and_files_are_read_in_any_order(tmp_path):
    names = [f"class {number}" for number in range(11)]
    shards = [
        write_arrow(tmp_path / "a.arrow", table(ROWS[:6], names), rows=4),
        feather(tmp_path / "b.arrow", table(ROWS[6:], names)),
    ]
    container = ArrowShards(shards)
    assert [(member.name, member.label) for member in container.index()] == [(path, label) for path, _, label in ROWS]
    assert container.class_names() == tuple(names)
    for position in (10, 0, 5, 6, 3, 4):
        assert container.read(position) == ROWS[position][1]


@pytest.mark.parametrize("cut", [0, 4, 700, -1, -8, -9])
@pytest.mark.parametrize("write", [write_arrow, feather])
def test_a_shard_that_ends_early_is_refused(tmp_path, cut, write):
    path = write(tmp_path / "a.arrow", table(ROWS))
    with open(path, "rb+") as file:
        file.truncate(cut if cut >= 0 else path.stat().st_size + cut)
    with pytest.raises(DataError, match=r"a\.arrow ends early, .*: complete the copy") as refused:
        ArrowShards([path]).index()
    assert "\n" not in str(refused.value)


def test_a_table_without_rows_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"a\.arrow holds no image"):
        ArrowShards([write_arrow(tmp_path / "a.arrow", table([]))]).index()


def test_an_image_without_its_bytes_is_one_that_cannot_be_read(tmp_path):
    container = ArrowShards([write_arrow(tmp_path / "a.arrow", table([ROWS[0], ("outside.jpg", None, 1)]))])
    container.index()
    with pytest.raises(DataError, match="names an image without its bytes"):
        container.read(1)
