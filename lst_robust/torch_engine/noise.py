"""corruptions/noise.py on a device. Each function gives the bytes of the plain definition."""

from __future__ import annotations

from torch import Tensor

from lst_robust.corruptions.noise import Noise
from lst_robust.torch_engine.arithmetic import to_uint8, to_unit
from lst_robust.torch_engine.streams import TensorStreams


def gaussian_noise(images: Tensor, streams: TensorStreams, c: Noise) -> Tensor:
    normals = streams.normal(0, tuple(images.shape[1:]))
    return to_uint8(to_unit(images) + normals.double() * float(c.amount))
