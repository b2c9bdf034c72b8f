"""Streams that the tests know, and what they hold, written out from their words."""

from __future__ import annotations

import numpy as np

from lst_robust.corruptions.registry import built_in
from lst_robust.corruptions.streams import Streams

HEIGHT, WIDTH = 32, 40
STREAMS = Streams.for_images("1", 7, "any", 3, ["a", "b"])


def drawn(name: str, c: object) -> dict[str, np.ndarray]:
    return dict(built_in()[name].draw(STREAMS, HEIGHT, WIDTH, c))


def words(stream: int, *shape: int) -> np.ndarray:
    return STREAMS.words(stream, int(np.prod(shape))).reshape(2, *shape)


def uniform(stream: int, *shape: int) -> np.ndarray:
    """In (0, 1): the middle of the interval that a word stands for."""
    return (words(stream, *shape) + 0.5) / 2**32


def normal(stream: int, *shape: int) -> np.ndarray:
    return STREAMS.normal(stream, int(np.prod(shape))).reshape(2, *shape)
