"""`corrupt_tensor`: any corruption on a batch of images that lies on a device, the same bytes however it is cut up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lst_robust.arguments import whole_number
from lst_robust.benchmark import CORRUPTIONS
from lst_robust.corruptions.engine import ENGINE_VERSION as DRAWS_VERSION
from lst_robust.corruptions.engine import MIN_SIDE, checked_ids, corrupt
from lst_robust.corruptions.own import failure
from lst_robust.corruptions.registry import constants, corruption_named
from lst_robust.corruptions.streams import Streams
from lst_robust.errors import LstRobustError, UsageError
from lst_robust.runtime.devices import device_errors, not_enough_memory
from lst_robust.torch_engine.streams import TensorStreams

ENGINE = "lst-robust-torch"
ENGINE_VERSION = "1"
"""Raised by whatever changes a corrupted byte. The draws are those of the CPU's engine, and have its version."""

CHUNK_BYTES = 8 << 20
"""Images (as uint8) that are worked on at once. Small enough that several float64 tensors of them stay in a device's
cache, large enough that starting an operation costs little beside it."""

CALL_BYTES = 32 << 20
"""Images (as uint8) that an evaluation hands over at once, and that `lst-robust engines` measures with."""


class TensorCorruptor:
    """One corruption at one severity, for many batches.

    Batches may come in any order and from several threads. A call waits for nothing: on CUDA it returns before the
    device has done the work. Use it on one CUDA stream at a time: the tables that calls share lie in memory of
    the stream that made them, and a table that is given up for another must not be in use on a second stream.
    """

    def __init__(self, corruption: str, severity: int, *, preset: str, style: str = "hendrycks", seed: int = 0) -> None:
        """Raises UsageError (a ValueError) for an unknown name, and a severity or seed that cannot be meant."""
        self.c = constants(corruption, severity, preset, style)
        self.corruption = corruption_named(corruption)
        self.severity, self.preset, self.style = int(severity), preset, style
        self.seed = whole_number("seed", seed)

    @property
    def on_device(self) -> bool:
        """Whether the work is done where the images lie: by all of the 19. A corruption from outside that was
        registered without `torch=` is made on the host."""
        return self.corruption.torch is not None

    def streams(self, ids: Sequence[int | str], device: torch.device) -> TensorStreams:
        """The random streams of images of these ids, on the device."""
        name = self.corruption.name
        return TensorStreams.on(Streams.for_images(DRAWS_VERSION, self.seed, name, self.severity, ids), device)

    def __call__(self, images: Tensor, streams: TensorStreams) -> Tensor:
        """uint8 (N, H, W, 3) on the device of the images, which stay as they are. Only where `on_device`.

        Raises UsageError where the code of a corruption from outside fails.
        """
        assert self.corruption.torch is not None
        most = max(1, CHUNK_BYTES // max(1, images[:1].nbytes))
        chunks = max(1, -(-len(images) // most))
        per_chunk = max(1, -(-len(images) // chunks))  # all alike: few images in the last one would take as long
        with torch.no_grad():  # inference_mode would make a tensor that callers cannot use in a graph
            parts = [
                self._made(images[start : start + per_chunk], streams[start : start + per_chunk])
                for start in range(0, len(images), per_chunk)
            ]
            return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _made(self, images: Tensor, streams: TensorStreams) -> Tensor:
        assert self.corruption.torch is not None
        name = self.corruption.name
        if name in CORRUPTIONS:
            return self.corruption.torch(images, streams, self.c)
        try:
            with device_errors(images.device):
                result: object = self.corruption.torch(images.clone(), streams, self.c)
        except (LstRobustError, MemoryError):
            raise
        except (Exception, SystemExit) as error:  # the user's own code: anything can happen in it
            if not_enough_memory(error):
                raise
            raise failure(name, error, images.shape) from error
        return checked_tensor_result(name, result, images)

    def on_host(self, images: Tensor, ids: Sequence[int | str]) -> Tensor:
        """The same for a corruption from outside that only the host can make: the images go there and back."""
        made = corrupt(
            images.cpu().numpy(), self.corruption.name, self.severity,
            preset=self.preset, style=self.style, seed=self.seed, ids=ids,
        )  # fmt: skip
        return torch.from_numpy(made).to(images.device)


def corrupt_tensor(
    images: Tensor,
    corruption: str,
    severity: int,
    *,
    preset: str,
    style: str = "hendrycks",
    seed: int = 0,
    ids: Sequence[int | str] | np.ndarray | None = None,
) -> Tensor:
    """Corrupted copies of RGB images where they lie: `lst_robust.corrupt` for a tensor on any device.

    images: uint8, (N, H, W, 3) or (H, W, 3), in rows of pixels as NumPy has them; never modified. ids: N integers or
    texts, 0..N-1 by default; equal ids get equal noise. The result, uint8 of the same shape on the same device, depends
    on (image, its id, corruption, severity, preset, style, seed) only. docs/gpu.md says how near it comes to `corrupt`.
    Raises UsageError (a ValueError) for wrong dtype, shape, name, severity or number of ids.
    """
    corruptor = TensorCorruptor(corruption, severity, preset=preset, style=style, seed=seed)
    batch = checked_tensor(images)
    names = checked_ids(ids, len(batch))
    if not len(batch):
        return images.clone()
    if corruptor.on_device:
        made = corruptor(batch, corruptor.streams(names, batch.device))
    else:
        made = corruptor.on_host(batch, names)
    return made.reshape(images.shape)


def checked_tensor_result(name: str, result: object, images: Tensor) -> Tensor:
    """What a corruption from outside returned, if it is as the images are; UsageError for anything else."""
    wanted = f"return a uint8 tensor of shape {tuple(images.shape)} on {images.device}"
    if not isinstance(result, Tensor):
        raise UsageError(f"corruption {name} returned {type(result).__name__}: {wanted}")
    if (result.dtype, result.shape, result.device) != (images.dtype, images.shape, images.device):
        raise UsageError(
            f"corruption {name} returned {result.dtype} {tuple(result.shape)} on {result.device}: {wanted}"
        )
    return result.contiguous()


def checked_tensor(images: Tensor) -> Tensor:
    """Contiguous uint8 (N, H, W, 3), or a UsageError."""
    if not isinstance(images, Tensor):
        raise UsageError(
            f"images must be a torch tensor, not {type(images).__name__}: use lst_robust.corrupt for arrays"
        )
    if images.dtype != torch.uint8:
        raise UsageError(f"images must be uint8 in 0..255, not {images.dtype}: scale and convert them first")
    if images.layout != torch.strided:
        raise UsageError(f"images must be a dense tensor, not {images.layout}: give images.to_dense()")
    if images.ndim not in (3, 4) or images.shape[-1] != 3:
        raise UsageError(
            f"images must be (N, H, W, 3) or (H, W, 3), not {tuple(images.shape)}: convert them to RGB and permute them"
        )
    height, width = images.shape[-3:-1]
    if min(height, width) < MIN_SIDE:
        raise UsageError(f"images of {width}x{height} pixels are too small: each side needs at least {MIN_SIDE}")
    return images.contiguous().reshape(-1, height, width, 3)
