"""What a corruption is: a name, the randomness it draws, and what it does with it.

`draw` and `apply` are apart so that `apply` can be checked level for level: feed it the numbers that a
reference drew, and it must give the reference's pixels. Together they are the readable definition of a
corruption. A `kernel` is the same thing compiled: `kernel(images, streams, c)` equals `apply(images,
draw(streams, height, width, c), c)` byte for byte, and tests say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from lst_robust.corruptions.streams import Streams

Draws = Mapping[str, np.ndarray]
"""All the randomness of N images: arrays whose leading axis is N; empty for a deterministic corruption."""

Kernel = Callable[[np.ndarray, Streams, Any], np.ndarray]


@dataclass(frozen=True)
class Corruption:
    """One corruption function.

    draw(streams, height, width, c) -> Draws for len(streams) images; `c` is a record of presets.py.
    apply(images, draws, c) -> uint8 (N, H, W, 3) from uint8 (N, H, W, 3); pure, leaves its input alone.
    kernel(images, streams, c) -> the same bytes as apply with draw's numbers, faster; None where there is
    none.
    """

    name: str
    draw: Callable[[Streams, int, int, Any], Draws]
    apply: Callable[[np.ndarray, Draws, Any], np.ndarray]
    kernel: Kernel | None = None


def no_draws(streams: Streams, height: int, width: int, c: Any) -> Draws:
    """The `draw` of a deterministic corruption."""
    return {}


def to_unit(images: np.ndarray) -> np.ndarray:
    """uint8 -> float64 in [0, 1], as x / 255."""
    return images / 255.0


def to_uint8(x: np.ndarray) -> np.ndarray:
    """Float in [0, 1] (values outside are clipped) -> uint8, times 255 and truncated as every reference
    does."""
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def compiled(module: str, name: str) -> Kernel:
    """The kernel `name` of `lst_robust.corruptions.kernels.<module>`, imported (and with it numba) on its first call
    only."""

    def kernel(images: np.ndarray, streams: Streams, c: Any) -> np.ndarray:
        return getattr(import_module(f"lst_robust.corruptions.kernels.{module}"), name)(images, streams, c)

    return kernel
