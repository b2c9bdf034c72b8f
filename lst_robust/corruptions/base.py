"""What a corruption is: a name, its constants, the randomness it draws, and what it does with it.

`draw` and `apply` are apart so that `apply` can be checked level for level: feed it the numbers that a
reference drew, and it must give the reference's pixels. Together they are the readable definition of a
corruption. A `kernel` is the same thing compiled: `kernel(images, streams, c)` equals `apply(images,
draw(streams, height, width, c), c)` byte for byte, and tests say so. `torch` is the same for a batch that lies on a
device; docs/gpu.md says how near it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from lst_robust import benchmark
from lst_robust.corruptions.streams import Streams
from lst_robust.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from lst_robust.torch_engine.streams import TensorStreams

Draws = Mapping[str, np.ndarray]
"""All the randomness of N images: arrays whose leading axis is N; empty for a deterministic corruption."""

Draw = Callable[[Streams, int, int, Any], Draws]
Apply = Callable[[np.ndarray, Draws, Any], np.ndarray]
Kernel = Callable[[np.ndarray, Streams, Any], np.ndarray]
TorchFunction = Callable[["Tensor", "TensorStreams", Any], "Tensor"]


def no_draws(streams: Streams, height: int, width: int, c: Any) -> Draws:
    """The `draw` of a deterministic corruption."""
    return {}


@dataclass(frozen=True)
class Corruption:
    """One corruption: all that there is to know of it, but for its group and label, which `benchmark` knows.

    constants: for each preset five records `c`, one a severity. A record defines the corruption completely: where
    styles differ, the difference is a field of the record.
    apply(images, draws, c) -> uint8 (N, H, W, 3) from uint8 (N, H, W, 3); pure, leaves its input alone.
    draw(streams, height, width, c) -> Draws for len(streams) images.
    kernel(images, streams, c) -> the same bytes as apply with draw's numbers, faster; None where there is none.
    torch(images, streams, c) -> uint8 (N, H, W, 3) on the device of the images, tensors all; None where there is none.
    imagecorruptions: the five records of that style (preset `imagenet`), where they differ.
    """

    name: str
    constants: Mapping[str, Sequence[Any]]
    apply: Apply
    draw: Draw = no_draws
    kernel: Kernel | None = None
    torch: TorchFunction | None = None
    imagecorruptions: Sequence[Any] | None = None

    @property
    def group(self) -> str:
        return benchmark.group_of(self.name)

    @property
    def label(self) -> str:
        return benchmark.label_of(self.name)


def to_unit(images: np.ndarray) -> np.ndarray:
    """uint8 -> float64 in [0, 1], as x / 255."""
    return images / 255.0


def to_uint8(x: np.ndarray) -> np.ndarray:
    """Float in [0, 1] (values outside are clipped) -> uint8, times 255 and truncated as every reference
    does."""
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def checked_result(name: str, result: object, shape: tuple[int, ...]) -> np.ndarray:
    """What a corruption returned, if it is uint8 of that shape; UsageError for anything else."""
    if not isinstance(result, np.ndarray):
        raise UsageError(f"corruption {name} returned {type(result).__name__}: return a uint8 array of shape {shape}")
    if result.dtype != np.uint8 or result.shape != shape:
        raise UsageError(f"corruption {name} returned {result.dtype} {result.shape}: return uint8 {shape}")
    return result


def compiled(module: str, name: str) -> Kernel:
    """The kernel `name` of `lst_robust.corruptions.kernels.<module>`, imported (and with it numba) on its first call
    only."""

    def kernel(images: np.ndarray, streams: Streams, c: Any) -> np.ndarray:
        return getattr(import_module(f"lst_robust.corruptions.kernels.{module}"), name)(images, streams, c)

    return kernel


def batched(module: str, name: str) -> TorchFunction:
    """The function `name` of `lst_robust.torch_engine.<module>`, imported (and with it torch) on its first call."""

    def function(images: Tensor, streams: TensorStreams, c: Any) -> Tensor:
        return getattr(import_module(f"lst_robust.torch_engine.{module}"), name)(images, streams, c)

    return function
