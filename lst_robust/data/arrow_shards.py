"""Images in Arrow files, as `save_to_disk` of Hugging Face's library writes them.

The files are mapped into memory, from where the system takes the pages again when it needs room.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from lst_robust.data.image_columns import Columns, bytes_of, find_columns, members_of
from lst_robust.data.shards import Container, Member
from lst_robust.errors import DataError, message_of

FILE_FORM = b"ARROW1"  # at the start of a file of the other form that Arrow has
END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
ADVICE = "complete the copy, or save the data set again"


class ArrowShards(Container):
    """The rows of all files, one after the other."""

    def __init__(self, shards: Sequence[Path]) -> None:
        super().__init__(shards)
        self._columns: Columns | None = None
        self._batches: list[tuple[Path, pa.Array]] = []  # the images' bytes of each part
        self._starts = np.zeros(1, np.int64)  # the number of the first image of each part

    def index(self) -> list[Member]:
        members: list[Member] = []
        starts = []
        for shard in self.shards:
            first = len(members)
            for batch in _batches(shard):
                columns = self._columns = find_columns(batch.schema, shard, self._columns)
                starts.append(len(members))
                members += members_of(batch, columns, shard, len(members) - first)
                images = batch.column(batch.schema.get_field_index(columns.image))
                self._batches.append((shard, images.field("bytes")))
            if len(members) == first:
                raise DataError(f"{shard} holds no image: {ADVICE}")
        self._starts = np.array(starts, dtype=np.int64)
        return members

    def class_names(self) -> tuple[str, ...] | None:
        return self._columns.class_names if self._columns else None

    def read(self, position: int) -> bytes:
        part = int(np.searchsorted(self._starts, position, side="right")) - 1
        shard, content = self._batches[part]
        return bytes_of(content[position - int(self._starts[part])], shard)


def _batches(shard: Path) -> list[pa.RecordBatch]:
    """The parts of a file's table, mapped; DataError where it ends early."""
    try:
        mapped = pa.memory_map(str(shard))
        with open(shard, "rb") as file:
            is_file = file.read(len(FILE_FORM)) == FILE_FORM
            file.seek(-min(len(END_OF_STREAM), os.fstat(file.fileno()).st_size), os.SEEK_END)
            ended = file.read() == END_OF_STREAM
        if is_file:
            reader = pa.ipc.open_file(mapped)
            return [reader.get_batch(number) for number in range(reader.num_record_batches)]
        batches = list(pa.ipc.open_stream(mapped))
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = message_of(error)
        raise DataError(f"{shard} ends early, or is no Arrow file ({reason}): {ADVICE}") from error
    if not ended:
        raise DataError(f"{shard} ends early, without Arrow's mark of the end: {ADVICE}")
    return batches
