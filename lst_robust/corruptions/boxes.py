"""Which pixels Pillow's box filter averages, and which block each pixel shows afterwards: the tables of pixelate."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

PRECISION, HALF = 22, 1 << 21
"""Bits after the binary point in Pillow's 8-bit resampling (Resample.c: 32 - 8 - 2)."""


@lru_cache(maxsize=64)
def box_blocks(length: int, blocks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pillow's box filter from `length` to `blocks` pixels: each block's first source pixel and one past its last,
    int64 (blocks,), and the fixed-point weight that all of them have, int32 (blocks,).

    Where an edge falls on the middle of a pixel, rounding decides who owns it: hence Pillow's order of operations.
    """
    scale = length / blocks
    centres = (np.arange(blocks) + 0.5) * scale
    window_start = (centres - 0.5 * scale + 0.5).astype(np.int64)[:, None]
    window_stop = (centres + 0.5 * scale + 0.5).astype(np.int64)[:, None]
    places = np.arange(length)
    distance = (places - centres[:, None] + 0.5) * (1 / scale)
    inside = (distance > -0.5) & (distance <= 0.5) & (places >= window_start) & (places < window_stop)
    first, count = inside.argmax(axis=1), inside.sum(axis=1)
    return first, first + count, (0.5 + 1 / count * (1 << PRECISION)).astype(np.int32)


@lru_cache(maxsize=64)
def repeated(blocks: int, length: int, upsample: str) -> np.ndarray:
    """The block that each of `length` pixels shows, as Pillow's own filter picks it: int64 (length,)."""
    filter_ = Image.Resampling.BOX if upsample == "box" else Image.Resampling.NEAREST
    row = Image.fromarray(np.arange(blocks, dtype=np.int32)[None])
    return np.asarray(row.resize((length, 1), filter_))[0].astype(np.int64)
