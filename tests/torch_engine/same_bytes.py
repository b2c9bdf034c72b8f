"""What a function of the torch engine is held to: the bytes of the plain definition, however the batch is cut."""

from __future__ import annotations

import numpy as np
import torch

from lst_robust.corruptions import Streams, constants, corruption_named
from lst_robust.torch_engine import TensorStreams

SHAPES = {"imagenet": (2, 48, 33), "tiny-imagenet": (2, 17, 40), "cifar": (3, 32, 32)}


def both(name: str, images: np.ndarray, severity: int, preset: str, style: str = "hendrycks"):
    """The results of the plain definition and of the torch engine, as arrays."""
    corruption, c = corruption_named(name), constants(name, severity, preset, style)
    streams = Streams.for_images("1", severity, name, severity, range(len(images)))
    wanted = corruption.apply(images, corruption.draw(streams, *images.shape[1:3], c), c)
    assert corruption.torch is not None
    given, streams_there = torch.from_numpy(images.copy()), TensorStreams.on(streams, "cpu")
    with torch.inference_mode():
        made = corruption.torch(given, streams_there, c)
        parts = [corruption.torch(given[part], streams_there[part], c) for part in (slice(1, None), slice(1))]
    np.testing.assert_array_equal(given.numpy(), images)
    assert made.dtype == torch.uint8 and made.is_contiguous()
    assert torch.equal(torch.cat(parts[::-1]), made)
    return wanted, made.numpy()


def assert_same(name: str, images: np.ndarray, severity: int, preset: str, style: str = "hendrycks") -> None:
    wanted, made = both(name, images, severity, preset, style)
    np.testing.assert_array_equal(made, wanted)
