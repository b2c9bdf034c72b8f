"""What every data set looks like from outside: labels and ids at once, uint8 pixels only when they are read.

The id of an image keys its noise (lst_robust/corruptions/streams.py), so it must not depend on the order of a
listing, on the machine or on what else is evaluated.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from lst_robust.errors import DataError, NothingToEvaluateError, UsageError, message_of
from lst_robust.geometry import Geometry, as_they_are

CACHE_BYTES = 2**28  # CIFAR's 60,000 fit; ImageNet (7.5 GB at 224 px) is kept on disk, so that 2 GB of memory do
CHECK_CHUNK = 256  # images in memory at once while a source is checked


Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class Unreadable:
    """An image that could not be decoded: its position in the source, its id and the decoder's reason."""

    index: int
    id: str
    reason: str


class ImageSource(ABC):
    """N labelled images of S x S pixels.

    name: kind and split, such as "digits/test"
    place: where the images are, for messages
    classes: names of the classes
    labels: int64 (N,), positions in `classes`
    ids: N different texts; the noise of an image depends on its id, so an id must never change
    image_size: S in pixels
    skipped: ids of images that were left out because they cannot be read, where that was asked for
    advice: what people should do about images that cannot be read

    A subclass sets all of them but the last two, and has the methods `load` and `digest_of`.
    """

    name: str
    place: str
    classes: tuple[str, ...]
    labels: np.ndarray
    ids: tuple[str, ...]
    image_size: int
    skipped: tuple[str, ...] = ()
    advice: str = "Repair or remove them, or leave them out with --skip-unreadable"

    @property
    def geometry(self) -> Geometry:
        """How the images get their size."""
        return as_they_are(self.image_size)

    def with_geometry(self, geometry: Geometry) -> ImageSource:
        """The same images, cut and scaled in another way; UsageError for images that have one size only."""
        raise UsageError(
            f"{self.name} has images of one size ({self.image_size} pixels), so a network's own preprocessing cannot "
            "be applied to them: give --preprocess suite"
        )

    @abstractmethod
    def load(self, indices: np.ndarray, workers: int) -> tuple[np.ndarray, list[tuple[int, str]]]:
        """The images at `indices`, uint8 (len(indices), S, S, 3), and (index, reason) of those that cannot be read,
        whose pixels do not matter. `decode_each` does it for images that are decoded one by one."""

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, indices: Sequence[int] | np.ndarray, workers: int = 1) -> np.ndarray:
        """uint8 RGB (len(indices), S, S, 3) in the order of `indices`, decoded by `workers` threads.

        Raises DataError when any of them cannot be read. The whole source is looked through before, so that the
        message counts all images that cannot be read.
        """
        images, failed = self.load(np.asarray(indices, dtype=np.int64), workers)
        if failed:
            raise self._unreadable_error(self.check(workers) or [self._unreadable(*f) for f in failed])
        return images

    def whole(self, index: int) -> np.ndarray:
        """uint8 RGB (H, W, 3) of one image in its own size, before it is resized and cropped; DataError when it
        cannot be read."""
        return self.read([index])[0]

    def stored(self, index: int) -> Path | bytes | None:
        """The file that one image is decoded from, or its bytes; None for a source that has pixels. May raise anything
        on damaged data."""
        return None

    def check(self, workers: int = 1) -> list[Unreadable]:
        """Decode every image once, and list those that fail."""
        failed = []
        for start in range(0, len(self), CHECK_CHUNK):
            chunk = np.arange(start, min(start + CHECK_CHUNK, len(self)))
            failed += [self._unreadable(*f) for f in self.load(chunk, workers)[1]]
        return failed

    def fingerprint(self, image_size: int | None = None) -> str:
        """16 hex digits of SHA-256 over size, ids and labels: equal where the same images are meant.

        image_size: counts instead of the source's own.
        """
        content = json.dumps([image_size or self.image_size, self.ids, self.labels.tolist()])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def pixels_digest(self, workers: int = 1) -> str:
        """32 hex digits of SHA-256 over the bytes that all images are read from: equal for the same pixels."""
        return self.digest_of(np.arange(len(self)), workers)

    @abstractmethod
    def digest_of(self, indices: np.ndarray, workers: int) -> str:
        """The digest of what the images at `indices` are read from, in that order. The functions `digest_of_rows` and
        `digest_of_files` of lst_robust.data.content make one."""

    def select(self, indices: Sequence[int] | np.ndarray) -> ImageSource:
        """A view of the images at `indices`, in that order."""
        return Selection(self, np.asarray(indices, dtype=np.int64))

    def subset(self, limit: int) -> ImageSource:
        """A fixed stratified view of `limit` images in the source's own order; all, when it has no more."""
        if limit < 1:
            raise UsageError(f"a limit of {limit} images selects nothing: give 1 or more")
        return self if limit >= len(self) else self.select(stratified(self.ids, self.labels, limit))

    def _unreadable(self, index: int, reason: str) -> Unreadable:
        return Unreadable(index, self.ids[index], reason)

    def _unreadable_error(self, failed: list[Unreadable]) -> DataError:
        named = "; ".join(f"{f.id} ({f.reason})" for f in failed[:3])
        more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
        return DataError(
            f"{len(failed)} of {len(self)} images of {self.place} cannot be read: {named}{more}. {self.advice}"
        )


class View(ImageSource):
    """What views of another source have in common: its images, all of them or some."""

    def __init__(self, source: ImageSource) -> None:
        self.name, self.place, self.classes = source.name, source.place, source.classes
        self.image_size = source.image_size
        self.labels, self.ids, self.skipped, self.advice = source.labels, source.ids, source.skipped, source.advice
        self._source = source

    @property
    def geometry(self) -> Geometry:
        return self._source.geometry

    def stored(self, index: int) -> Path | bytes | None:
        return self._source.stored(index)

    def digest_of(self, indices: np.ndarray, workers: int) -> str:
        return self._source.digest_of(indices, workers)


class Selection(View):
    """Some images of another source, in any order."""

    def __init__(self, source: ImageSource, indices: np.ndarray, skipped: tuple[str, ...] = ()) -> None:
        super().__init__(source)
        self.labels = source.labels[indices]
        self.ids = tuple(source.ids[i] for i in indices)
        self.skipped = source.skipped + skipped
        self._indices = indices

    def digest_of(self, indices: np.ndarray, workers: int) -> str:
        return self._source.digest_of(self._indices[indices], workers)

    def stored(self, index: int) -> Path | bytes | None:
        return self._source.stored(int(self._indices[index]))

    def whole(self, index: int) -> np.ndarray:
        return self._source.whole(int(self._indices[index]))

    def load(self, indices: np.ndarray, workers: int) -> tuple[np.ndarray, list[tuple[int, str]]]:
        in_source = self._indices[indices]
        images, failed = self._source.load(in_source, workers)
        own_index = dict(zip(in_source.tolist(), indices.tolist(), strict=True))
        return images, [(own_index[index], reason) for index, reason in failed]


class Cached(View):
    """Another source whose images stay in memory once they have been decoded."""

    def __init__(self, source: ImageSource) -> None:
        super().__init__(source)
        self._images = np.empty((len(source), self.image_size, self.image_size, 3), np.uint8)
        self._present = np.zeros(len(source), bool)

    def load(self, indices: np.ndarray, workers: int) -> tuple[np.ndarray, list[tuple[int, str]]]:
        missing = np.unique(indices[~self._present[indices]])
        failed: list[tuple[int, str]] = []
        if missing.size:
            images, failed = self._source.load(missing, workers)
            decoded = ~np.isin(missing, [index for index, _ in failed])
            self._images[missing[decoded]] = images[decoded]
            self._present[missing[decoded]] = True  # last: another thread may read meanwhile
        return self._images[indices], failed


def cached(source: ImageSource, max_bytes: int = CACHE_BYTES) -> ImageSource:
    """`source` with its decoded images kept in memory, or `source` itself if they exceed `max_bytes`."""
    return Cached(source) if len(source) * source.image_size**2 * 3 <= max_bytes else source


def without_unreadable(source: ImageSource, workers: int = 1) -> ImageSource:
    """`source` without the images that cannot be read. Every image is decoded once; `.skipped` lists those left out.

    Raises NothingToEvaluateError when no image is left.
    """
    failed = source.check(workers)
    if not failed:
        return source
    if len(failed) == len(source):
        raise NothingToEvaluateError(
            f"none of the {len(source)} images of {source.place} can be read, "
            f"the first being {failed[0].id} ({failed[0].reason}): check the data folder"
        )
    kept = np.setdiff1d(np.arange(len(source)), [f.index for f in failed])
    return Selection(source, kept, tuple(f.id for f in failed))


def stratified(ids: Sequence[str], labels: np.ndarray, count: int) -> np.ndarray:
    """Sorted positions of `count` images, spread over the classes as evenly as the sizes of the classes allow.

    A hash of the ids gives the order in which each class hands out its images, one at a time. So the choice depends on
    ids and labels only, and a smaller choice is part of a larger one. labels: integers (N,).
    """
    digests = [hashlib.blake2b(i.encode(), digest_size=8).digest() for i in ids]
    taken: dict[int, int] = {}
    rank = np.empty(len(ids), np.int64)
    shuffled = sorted(range(len(ids)), key=lambda i: (digests[i], ids[i]))
    for i in shuffled:
        label = int(labels[i])
        rank[i] = taken[label] = taken.get(label, -1) + 1
    return np.sort(np.array(sorted(shuffled, key=lambda i: rank[i])[:count], dtype=np.int64))


def decode_each(
    decode: Callable[[int], np.ndarray], indices: np.ndarray, image_size: int, workers: int
) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """`load` for sources that decode one image at a time; decode(index) gives uint8 (S, S, 3) or raises."""
    images = np.empty((len(indices), image_size, image_size, 3), np.uint8)

    def decode_one(position: int) -> tuple[int, str] | None:
        index = int(indices[position])
        try:
            images[position] = decode(index)
        except Exception as error:  # decoders raise anything on damaged files: OSError, SyntaxError, struct.error, ...
            return index, message_of(error)
        return None

    if workers > 1 and len(indices) > 1:
        with ThreadPoolExecutor(workers) as pool:
            outcomes = list(pool.map(decode_one, range(len(indices))))
    else:
        outcomes = [decode_one(position) for position in range(len(indices))]
    return images, [outcome for outcome in outcomes if outcome is not None]
