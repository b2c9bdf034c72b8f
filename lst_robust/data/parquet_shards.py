"""Images in Parquet files, as Hugging Face's hub has them.

A Parquet file is compressed in groups of rows: to read one image is to unpack its whole group. The images of a data set
are read sorted by class, which would unpack each group again and again. So a group is unpacked once, when the first of
its images is needed, and its images are kept in a temporary file until the process ends.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from lst_robust.data.image_columns import Columns, bytes_of, find_columns, members_of
from lst_robust.data.shards import Container, Member
from lst_robust.data.spool import Spool
from lst_robust.errors import DataError, message_of

ROWS = 16  # unpacked at a time
LABEL_ROWS = 4096
BUFFER = 2**20  # bytes: without it a whole group would be in memory
ADVICE = "download it again"


class _Group(NamedTuple):
    """A group of rows of one file, and the position of its first image among all."""

    shard: Path
    number: int
    first: int


class ParquetShards(Container):
    """The rows of all files, one after the other."""

    def __init__(self, shards: Sequence[Path]) -> None:
        super().__init__(shards)
        self._columns: Columns | None = None
        self._groups: list[_Group] = []
        self._starts = np.zeros(1, np.int64)
        self._spool: Spool | None = None
        self._unpacking = threading.Lock()  # one group at a time, so that memory stays small

    def index(self) -> list[Member]:
        members: list[Member] = []
        for shard in self.shards:
            members += self._index_of(shard, len(members))
        self._starts = np.array([group.first for group in self._groups], dtype=np.int64)
        self._spool = Spool(len(members), sum(shard.stat().st_size for shard in self.shards))
        return members

    def class_names(self) -> tuple[str, ...] | None:
        return self._columns.class_names if self._columns else None

    def read(self, position: int) -> bytes:
        assert self._spool is not None, "index comes first"
        content = self._spool.read(position)
        if content is None:
            with self._unpacking:
                content = self._spool.read(position)  # another thread may have unpacked it meanwhile
                content = self._unpacked(position) if content is None else content
        return content

    def _index_of(self, shard: Path, first: int) -> list[Member]:
        """Names and labels only; the images' bytes are not looked at."""
        with _opened(shard) as file:
            columns = self._columns = find_columns(file.schema_arrow, shard, self._columns)
            found: list[Member] = []
            for batch in _parts(file, shard, _names_and_labels(columns), LABEL_ROWS):
                found += members_of(batch, columns, shard, len(found))
            if not found:
                raise DataError(f"{shard} holds no image: {ADVICE}")
            for number in range(file.num_row_groups):
                self._groups.append(_Group(shard, number, first))
                first += file.metadata.row_group(number).num_rows
        return found

    def _unpacked(self, wanted: int) -> bytes:
        """One image; the others of its group are spooled as well."""
        assert self._spool is not None and self._columns is not None
        shard, number, position = self._groups[int(np.searchsorted(self._starts, wanted, side="right")) - 1]
        content = None
        with _opened(shard) as file:
            for batch in _parts(file, shard, [f"{self._columns.image}.bytes"], ROWS, number):
                for value in batch.column(0).field("bytes"):
                    if position == wanted:
                        content = bytes_of(value, shard)
                        if not self._spool.has_room:
                            return content
                    if value.is_valid:
                        self._spool.keep(position, value.as_buffer())
                    position += 1
        if content is None:
            raise DataError(f"{shard} has fewer images than it had: wait until nobody writes it, and run again")
        return content


def _names_and_labels(columns: Columns) -> list[str]:
    return [f"{columns.image}.path"] + ([] if columns.label is None else [columns.label])


def _opened(shard: Path) -> parquet.ParquetFile:
    try:
        return parquet.ParquetFile(shard, buffer_size=BUFFER, pre_buffer=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(shard, error) from error


def _parts(
    file: parquet.ParquetFile, shard: Path, columns: list[str], rows: int, group: int | None = None
) -> Iterator[pa.RecordBatch]:
    groups = None if group is None else [group]
    try:
        yield from file.iter_batches(batch_size=rows, row_groups=groups, columns=columns, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(shard, error) from error


def _damaged(shard: Path, error: Exception) -> DataError:
    reason = message_of(error)
    return DataError(f"{shard} ends early, or is no Parquet file ({reason}): {ADVICE}")
