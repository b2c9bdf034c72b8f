"""Images that several networks classify in turn: in memory once, a chunk at a time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Sequence
from contextlib import closing
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from lst_robust.models.preprocess import Load
from lst_robust.runtime.prefetch import prefetch

CHUNK_BYTES = 2**27  # 128 MB: 891 images of 224 pixels. On a GPU three chunks are in memory at the same time.
LOADED_BYTES = 2**21  # that a thread loads and corrupts at a time


class Chunk(NamedTuple):
    """Some of a cell's images: `positions` are theirs, `images` uint8 (len(positions), S, S, 3)."""

    positions: range
    images: np.ndarray

    def load(self, positions: Sequence[int]) -> np.ndarray:
        """The images at consecutive positions, which must be among the chunk's; not a copy."""
        start = positions[0] - self.positions.start
        return self.images[start : start + len(positions)]


def common_chunks(batches: Sequence[Sequence[range]], most: int) -> list[range]:
    """Positions in order, in chunks of at most `most`, that cut no batch in two: so each network gets the same batches
    as alone, and gives the same answers to the last bit.

    batches: of each network, all over the same positions. A chunk is larger than `most` where no end of a batch is
    common to all before.
    """
    ends = sorted(set.intersection(*({batch.stop for batch in one} for one in batches)))
    cuts = [batches[0][0].start]
    for end, following in pairwise([*ends, float("inf")]):
        if following - cuts[-1] > most:
            cuts.append(int(end))
    return [range(start, stop) for start, stop in pairwise(cuts)]


def batches_within(batches: Sequence[range], positions: range) -> Sequence[range]:
    """Those of a network's batches, which are in order, that begin at one of consecutive positions."""
    first, last = (
        bisect_left(batches, place, key=lambda one: one.start) for place in (positions.start, positions.stop)
    )
    return batches[first:last]


def loaded_chunks(
    load: Load, chunks: Sequence[range], image_size: int, workers: int, *, ahead: bool
) -> Generator[Chunk, None, None]:
    """The chunks with their images, each image loaded once by one of `workers` threads.

    ahead: load the next chunk while the caller uses this one, as pays where the network runs on another device. Close
    it (contextlib.closing) where it may be left before its end.
    """
    at_a_time = max(1, LOADED_BYTES // (image_size**2 * 3))

    def loaded(positions: range) -> Chunk:
        images = np.empty((len(positions), image_size, image_size, 3), np.uint8)
        size = min(at_a_time, -(-len(positions) // workers))
        parts = [positions[start : start + size] for start in range(0, len(positions), size)]
        with closing(prefetch(load, parts, workers)) as found:
            for part, some in zip(parts, found, strict=True):
                images[part.start - positions.start : part.stop - positions.start] = some
        return Chunk(positions, images)

    if ahead:
        with closing(prefetch(loaded, chunks, 1)) as found:
            yield from found
    else:
        yield from map(loaded, chunks)
