"""The work on one shard: its chunks go through all cells, in order, by several threads."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from threading import Condition
from typing import Protocol

import numpy as np

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError, UsageError, message_of
from lst_robust.generation.engines import SetEngine
from lst_robust.generation.layout import not_written
from lst_robust.generation.settings import Settings
from lst_robust.generation.shard_input import Entry, InputShard
from lst_robust.generation.tar_writer import TarWriter
from lst_robust.generation.tree import ENCODERS, encode
from lst_robust.runtime.interruption import check_interrupted, interrupted
from lst_robust.runtime.prefetch import prefetch
from lst_robust.runtime.progress import Observer

CHUNK_MEMBERS = 512
CHUNK_IMAGES = 128
POLL = 0.5  # seconds between two looks whether the work has been ended
Chunk = tuple[int, Sequence[Entry]]


class Tars(Protocol):
    """The files that are written, by cell."""

    writers: dict[Cell, TarWriter]


class ShardWork:
    """All cells of one shard."""

    def __init__(
        self, shard: InputShard, tars: Tars, engine: SetEngine, settings: Settings, observer: Observer
    ) -> None:
        self._shard, self._writers, self._observer = shard, tars.writers, observer
        self._corrupted, self._chunk_bytes = engine.corrupted(settings), engine.chunk_bytes
        self._encoder = ENCODERS[settings.image_format or "jpeg"]
        self._turn = Condition()
        self._written = dict.fromkeys(self._writers, 0)  # chunks of each cell
        self._stop = False
        self._images = 0
        self._started = time.perf_counter()

    def run(self, workers: int) -> None:
        """Every member of the shard is in all tars afterwards. Raises as `generate_shards` does."""
        self._observer.start(f"corrupting {self._shard.path.name}", self._shard.images * len(self._writers))
        with closing(prefetch(self._chunk, self._chunks(), workers, stop=self._end)) as done:
            for _ in done:
                check_interrupted()
        self._observer.finish()

    def _end(self) -> None:
        """Threads that work on a chunk, or wait for another one, end soon."""
        with self._turn:
            self._stop = True
            self._turn.notify_all()

    def _chunks(self) -> Iterator[Chunk]:
        """Members that follow one another, few enough for a worker's memory, and their number."""
        number, held, members, images = 0, 0, list[Entry](), 0
        for entry in self._shard.entries:
            size = self._shard.decoded_bytes(entry)
            is_image = entry.image_id is not None
            full = images and is_image and (images == CHUNK_IMAGES or held + size > self._chunk_bytes)
            if full or len(members) == CHUNK_MEMBERS:
                yield number, members
                number, held, members, images = number + 1, 0, [], 0
            held += size
            images += is_image
            members.append(entry)
        yield number, members

    def _chunk(self, chunk: Chunk) -> None:
        try:
            number, members = chunk
            images = self._decoded(members)
            for cell, writer in self._writers.items():
                if self._ended():
                    return
                files = self._files(images, cell)
                if not self._wait(cell, number):
                    return
                self._append(writer, members, files)
                with self._turn:
                    self._written[cell] += 1
                    self._count(len(files))
                    self._turn.notify_all()
        except BaseException:
            self._end()  # others wait for this chunk
            raise

    def _decoded(self, members: Sequence[Entry]) -> dict[str, np.ndarray]:
        """Id -> uint8 (H, W, 3) of the images among the members."""
        images = {}
        for entry in members:
            if entry.image_id is not None:
                try:
                    images[entry.image_id] = self._shard.decoded(entry)
                except DataError:
                    raise
                except Exception as error:  # decoders raise anything on damaged files
                    raise DataError(
                        f"{entry.image_id} of {self._shard.path} cannot be read ({message_of(error)}). Repair or "
                        "remove it, or leave out such images with --skip-unreadable"
                    ) from error
        return images

    def _files(self, images: Mapping[str, np.ndarray], cell: Cell) -> dict[str, bytes]:
        """Id -> the corrupted image as a file."""
        by_shape: dict[tuple[int, ...], list[str]] = {}
        for image_id, image in images.items():
            by_shape.setdefault(image.shape, []).append(image_id)
        files = {}
        for ids in by_shape.values():
            try:
                corrupted = self._corrupted(np.stack([images[one] for one in ids]), cell, ids)
            except UsageError as error:  # a size that a corruption cannot take
                raise UsageError(f"{ids[0]} of {self._shard.path}: {error}") from error
            files.update({one: encode(image, *self._encoder) for one, image in zip(ids, corrupted, strict=True)})
        return files

    def _append(self, writer: TarWriter, members: Sequence[Entry], files: Mapping[str, bytes]) -> None:
        try:
            for entry in members:
                if entry.image_id is None:
                    writer.add(entry.name, entry.size, self._shard.blocks(entry))
                else:
                    content = files[entry.image_id]
                    writer.add(entry.name, len(content), [content])
        except OSError as error:
            raise not_written(writer.path, error) from error

    def _wait(self, cell: Cell, number: int) -> bool:
        """Until the chunk before has been written to the cell; False where the work has been ended meanwhile."""
        with self._turn:
            while self._written[cell] != number:
                if self._ended():
                    return False
                self._turn.wait(POLL)
        return True

    def _ended(self) -> bool:
        return self._stop or interrupted()

    def _count(self, images: int) -> None:
        self._images += images
        rate = self._images / (time.perf_counter() - self._started)
        self._observer.advance(images, f"{rate:,.0f} images/s")
