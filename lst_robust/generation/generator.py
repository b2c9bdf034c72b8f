"""Writes a corrupted set: each image is decoded once, all its corrupted versions are made and put in their places.

The work is cut into chunks of images whatever the number of workers and ranks. Noise belongs to the image (see
lst_robust/corruptions/streams.py), so who does which chunk, and when, changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Lock

import numpy as np

from lst_robust.arguments import instance, optional, path, whole_number
from lst_robust.benchmark import CORRUPTIONS
from lst_robust.data import ImageSource
from lst_robust.errors import DataError, NothingToEvaluateError, UsageError
from lst_robust.generation import manifest
from lst_robust.generation.engines import CorruptImages, SetEngine
from lst_robust.generation.inputs import image_shapes, require_outside
from lst_robust.generation.layout import Layout
from lst_robust.generation.settings import Settings
from lst_robust.runtime.file_lock import file_lock
from lst_robust.runtime.interruption import check_interrupted, interrupted
from lst_robust.runtime.process_group import Ranks, process_group
from lst_robust.runtime.progress import Observer, Silent, checked_observer


@dataclass(frozen=True)
class Generated:
    """What a call of `generate` did. written, kept: corrupted images, of all ranks; leader: this is rank 0."""

    folder: Path
    images: int
    cells: int
    written: int
    kept: int
    skipped: tuple[str, ...]
    seconds: float
    leader: bool

    @property
    def images_per_second(self) -> float:
        """Corrupted images a second, everything included from the listing to the manifest."""
        return self.written / self.seconds

    def summary(self) -> dict[str, object]:
        """As one JSON object."""
        fields = asdict(self) | {"folder": str(self.folder), "images_per_second": self.images_per_second}
        del fields["leader"]
        return fields


def generate(
    source: ImageSource,
    folder: str | Path,
    settings: Settings,
    *,
    workers: int = 1,
    observer: Observer | None = None,
    engine: SetEngine | None = None,
) -> Generated:
    """Writes the corrupted set of `source` into `folder`, or what is missing of it, and its MANIFEST.json.

    The bytes depend on images, ids and settings only: not on workers (threads), ranks (under torchrun), interruptions.
    Memory does not grow with the number of images.

    engine: what corrupts them, see `engine_for_sets`; default: the CPU's.

    Raises:
        UsageError: the folder holds something else, or a corruption cannot take images of this size.
        DataError: an image cannot be read, images of several sizes are to go into arrays, or the disk refuses. What was
            finished is kept.
        NothingToEvaluateError: no images.
    """
    instance("source", source, ImageSource, "open one with open_images")
    instance("settings", settings, Settings, "make them with settings_for")
    folder, workers = path("folder", folder), whole_number("workers", workers, least=1)
    optional(checked_observer, "observer", observer)
    engine = SetEngine() if engine is None else instance("engine", engine, SetEngine, "make one with engine_for_sets")
    if not len(source):
        raise NothingToEvaluateError(f"{source.place} has no images: nothing to corrupt")
    require_outside(folder, source)
    shapes = image_shapes(source)
    if settings.format == "npy":
        _require_one_size(source, shapes)
    started = time.perf_counter()
    plan = manifest.planned(source, settings, workers, engine.name, engine.versions)
    files = plan.files(folder)
    with process_group() as ranks, ExitStack() as until_the_end:
        earlier = plan
        if ranks.rank == 0:
            earlier = manifest.begin(folder, plan)
            until_the_end.enter_context(_alone(folder))
            files.prepare(source.labels, (int(shapes[0, 0]), int(shapes[0, 1])))
        ranks.total([0])  # nobody writes before everything is prepared
        watcher = observer if observer is not None and ranks.rank == 0 else Silent()
        work = _Work(source, files, engine.corrupted(settings), watcher)
        work.run(list(_chunks(shapes, engine.chunk_bytes, engine.chunk_images)), workers, ranks)
        written, kept = ranks.total([work.written, work.kept])
        if ranks.rank == 0:
            files.finish()
            if earlier.cells is None:
                manifest.write(folder, manifest.completed(folder, plan, earlier, workers, watcher))
            elif written:
                manifest.verify(folder, workers=workers, observer=watcher)
    seconds = time.perf_counter() - started
    leader = ranks.rank == 0
    return Generated(folder, len(source), len(files.cells), written, kept, source.skipped, seconds, leader)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """UsageError while another call makes a set in the folder: one would remove what the other has not finished."""
    with file_lock(folder / ".set.lock", wait=False) as mine:
        if not mine:
            raise UsageError(f"another call makes a set in {folder}: wait for its end, or choose another folder")
        yield


class _Work:
    """The chunks of one process, done by its threads; counts what they write and find."""

    def __init__(self, source: ImageSource, files: Layout, corrupted: CorruptImages, observer: Observer) -> None:
        self.source, self.files, self.corrupted, self.observer = source, files, corrupted, observer
        self.written = self.kept = 0
        self._lock, self._stop = Lock(), Event()
        self._started = 0.0

    def run(self, chunks: list[np.ndarray], workers: int, ranks: Ranks) -> None:
        share_of_rank = chunks[ranks.rank :: ranks.world]
        total = sum(map(len, share_of_rank)) * len(self.files.cells)
        share = f" (rank 0 of {ranks.world})" if ranks.world > 1 else ""
        self.observer.start(f"corrupting {self.source.name}{share}", total)
        self._started = time.perf_counter()
        with ThreadPoolExecutor(workers, thread_name_prefix="corrupt") as pool:
            try:
                for future in as_completed([pool.submit(self._chunk, rows) for rows in share_of_rank]):
                    future.result()
                    check_interrupted()
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        self.observer.finish()

    def _chunk(self, rows: np.ndarray) -> None:
        missing = {cell: self.files.missing(cell, rows) for cell in self.files.cells}
        wanted = np.unique(np.concatenate(list(missing.values())))
        images = dict(zip(wanted.tolist(), self.source.read(wanted), strict=True)) if wanted.size else {}
        for cell, absent in missing.items():
            if self._stop.is_set() or interrupted():
                return
            for part in _of_one_shape(absent, images):
                batch = np.stack([images[row] for row in part.tolist()])
                ids = [self.source.ids[row] for row in part]
                try:
                    corrupted = self.corrupted(batch, cell, ids)
                except UsageError as error:  # the one thing not checked before: a size that a corruption cannot take
                    if cell.corruption not in CORRUPTIONS:
                        raise  # its code is wrong for all images of the batch
                    raise UsageError(f"{ids[0]}: {error}") from error
                self.files.write(cell, part, corrupted)
            self._count(written=len(absent), kept=len(rows) - len(absent))
        self.files.seal(rows)

    def _count(self, written: int, kept: int) -> None:
        with self._lock:
            self.written += written
            self.kept += kept
            rate = self.written / (time.perf_counter() - self._started)
            self.observer.advance(written + kept, f"{rate:,.0f} images/s")


def _chunks(shapes: np.ndarray, most_bytes: int, most_images: int | None) -> Iterator[np.ndarray]:
    """Rows of images that are decoded and corrupted together: neighbours, few enough for a worker's memory."""
    start, held = 0, 0
    for row, size in enumerate((shapes.prod(axis=1) * 3).tolist()):
        if row > start and (held + size > most_bytes or row - start == most_images):
            yield np.arange(start, row)
            start, held = row, 0
        held += size
    yield np.arange(start, len(shapes))


def _of_one_shape(rows: np.ndarray, images: dict[int, np.ndarray]) -> list[np.ndarray]:
    """`rows` parted by the shapes of their images."""
    parts: dict[tuple[int, ...], list[int]] = {}
    for row in rows.tolist():
        parts.setdefault(images[row].shape, []).append(row)
    return [np.array(part) for part in parts.values()]


def _require_one_size(source: ImageSource, shapes: np.ndarray) -> None:
    readable = shapes.any(axis=1)  # others are named when they are read
    other = np.flatnonzero(readable & (shapes != shapes[readable.argmax()]).any(axis=1))
    if other.size:
        (first, second), ids = (readable.argmax(), other[0]), source.ids
        raise DataError(
            f"{ids[first]} has {shapes[first, 1]} x {shapes[first, 0]} pixels and {ids[second]} {shapes[second, 1]} x "
            f"{shapes[second, 0]}: arrays need one size, so give --size 224, or choose --format tree"
        )
