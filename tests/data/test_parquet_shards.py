"""Parquet files: each group of rows is unpacked once, in small memory, and damaged ones are refused."""

from __future__ import annotations

from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lst_robust.data import parquet_shards, spool
from lst_robust.data.parquet_shards import ParquetShards
from lst_robust.errors import DataError
from tests.fixtures.shards import jpeg, table, write_parquet

ROWS = [(f"{number}.jpg", jpeg(number), number % 3) for number in range(50)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def shards(tmp_path) -> list[Path]:
    """20 rows in groups of 20, and 30 in groups of 7."""
    return [
        write_parquet(tmp_path / "a.parquet", table(ROWS[:20]), rows=20),
        write_parquet(tmp_path / "b.parquet", table(ROWS[20:]), rows=7),
    ]


@pytest.fixture
def unpacked(monkeypatch) -> list[tuple[str, int]]:
    """The groups that are unpacked from now on."""
    seen = []
    parts = parquet_shards._parts

    def counted(file, shard, columns, rows, group=None):
        seen.extend([] if group is None else [(shard.name, group)])
        return parts(file, shard, columns, rows, group)

    monkeypatch.setattr(parquet_shards, "_parts", counted)
    return seen


def opened(shards) -> ParquetShards:
    container = ParquetShards(shards)
    members = container.index()
    assert [(member.name, member.label) for member in members] == [(path, label) for path, _, label in ROWS]
    return container


def test_in_any_order_and_from_any_thread_each_group_is_unpacked_once(shards, unpacked):
    container = opened(shards)
    assert unpacked == [], "names and labels need no images"
    order = np.random.default_rng(0).permutation(50).tolist() * 2
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(container.read, order)) == [ROWS[position][1] for position in order]
    assert sorted(unpacked) == [("a.parquet", 0), *(("b.parquet", number) for number in range(5))]


def test_only_the_groups_that_are_needed_are_unpacked(shards, unpacked):
    container = opened(shards)
    assert (container.read(28), container.read(33)) == (ROWS[28][1], ROWS[33][1])
    assert unpacked == [("b.parquet", 1)]


def test_without_room_on_the_disk_a_group_is_unpacked_for_each_image(shards, unpacked, monkeypatch):
    monkeypatch.setattr(spool.shutil, "disk_usage", lambda folder: namedtuple("Usage", "free")(0))
    container = opened(shards)
    assert [container.read(position) for position in (3, 49, 3)] == [ROWS[position][1] for position in (3, 49, 3)]
    assert unpacked == [("a.parquet", 0), ("b.parquet", 4), ("a.parquet", 0)]


@pytest.mark.parametrize("kept", [0, 3, 2000, -1])
def test_a_shard_that_ends_early_is_refused(shards, kept):
    with open(shards[1], "rb+") as file:
        file.truncate(kept if kept >= 0 else shards[1].stat().st_size - 1)
    with pytest.raises(DataError, match=r"b\.parquet ends early, or is no Parquet file \(.*\): download") as refused:
        ParquetShards(shards).index()
    assert "\n" not in str(refused.value)


def test_damage_in_the_middle_is_said_when_it_is_read(shards):
    container = opened(shards)
    with open(shards[1], "rb+") as file:
        file.seek(10)
        file.write(bytes(20_000))
    assert container.read(3) == ROWS[3][1]
    with pytest.raises(DataError, match=r"b\.parquet ends early, or is no Parquet"):
        container.read(20)


def test_an_image_without_its_bytes_is_one_that_cannot_be_read(tmp_path):
    rows = [ROWS[0], ("outside.jpg", None, 1), ROWS[2]]
    container = ParquetShards([write_parquet(tmp_path / "a.parquet", table(rows))])
    container.index()
    assert container.read(2) == ROWS[2][1]
    with pytest.raises(DataError, match="names an image without its bytes: save the data set with the images inside"):
        container.read(1)


def test_a_table_without_rows_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"a\.parquet holds no image"):
        ParquetShards([write_parquet(tmp_path / "a.parquet", table([]))]).index()
