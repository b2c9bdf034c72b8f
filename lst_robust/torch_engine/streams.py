"""The random streams of lst_robust/corruptions/streams.py on a device: the same words and the same normals.

torch has no arithmetic on 32-bit words without a sign, so a word is an int64 from 0 to 2^32 - 1.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from lst_robust.corruptions.streams import (
    COS,
    GROUP,
    GROUP_WORDS,
    LN2,
    LOG1P,
    MULTIPLIERS,
    ROUNDS,
    SIN,
    SQRT_HALF_BITS,
    WEYL,
    Streams,
)

WORD = 0xFFFFFFFF


def philox(first: Tensor, stream: int, keys: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Philox4x32-10 of the counters (first, stream, 0, 0) under keys int64 (..., 2): four int64 tensors of words, by
    broadcasting."""
    c0, c1, c2, c3 = first, torch.full_like(first, stream), torch.zeros_like(first), torch.zeros_like(first)
    k0, k1 = keys[..., 0], keys[..., 1]
    for _ in range(ROUNDS):
        p0, p1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]  # the sign bit may be set: only the bits count
        c0, c1 = ((p1 >> 32) & WORD) ^ c1 ^ k0, p1 & WORD
        c2, c3 = ((p0 >> 32) & WORD) ^ c3 ^ k1, p0 & WORD
        k0, k1 = (k0 + WEYL[0]) & WORD, (k1 + WEYL[1]) & WORD
    return c0, c1, c2, c3


def polynomial(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """Horner's rule in float32, one rounding an operation."""
    rounded = [float(np.float32(coefficient)) for coefficient in coefficients]
    result = x * rounded[-1] + rounded[-2]
    for coefficient in rounded[-3::-1]:
        result = result.mul_(x).add_(coefficient)
    return result


def normals_from_words(radius_words: Tensor, angle_words: Tensor) -> tuple[Tensor, Tensor]:
    """Two independent standard normals from two words each: float32. See corruptions.streams for the method."""
    v = (radius_words >> 1).float() + 0.5
    bits = v.view(torch.int32)
    exponent = (bits - SQRT_HALF_BITS) >> 23
    f = (bits - (exponent << 23)).view(torch.float32) - 1.0
    minus_log = (31 - exponent).float() * float(np.float32(LN2)) - f * polynomial(f, LOG1P)
    radius = minus_log.sqrt()

    t = ((angle_words & 0x3FFFFFFF) - (1 << 29)).float() * 2.0**-29
    t2 = t * t
    sine, cosine = t * polynomial(t2, SIN), polynomial(t2, COS)
    sign0 = 1.0 - (angle_words >> 31).float() * 2.0
    sign1 = 1.0 - ((angle_words >> 30) & 1).float() * 2.0
    return radius * (cosine + sine) * sign0, radius * (cosine - sine) * sign1


class TensorStreams:
    """The random streams of N images on a device: what corruptions.Streams gives, as tensors.

    Methods and word order are those of corruptions.Streams; results have a leading axis N.
    """

    def __init__(self, keys: Tensor) -> None:
        """keys: int64 (N, 2), each a word."""
        self.keys = keys

    @classmethod
    def on(cls, streams: Streams, device: torch.device | str) -> TensorStreams:
        """Streams of the host on a device: 16 bytes an image are all that goes there."""
        return cls(torch.from_numpy(streams.keys.astype(np.int64)).to(device, non_blocking=True))

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, part: slice) -> TensorStreams:
        return TensorStreams(self.keys[part])

    def _planes(self, stream: int, groups: int, lanes: int = GROUP) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Four int64 (N, groups, lanes): each block's first words, its second words, and so on."""
        device = self.keys.device
        first = torch.arange(groups, device=device)[:, None] * GROUP + torch.arange(lanes, device=device)
        return philox(first.expand(len(self), groups, lanes), stream, self.keys[:, None, None])

    def words(self, stream: int, count: int) -> Tensor:
        """The first `count` words of a stream: int64 (N, count)."""
        if count <= GROUP:  # a few words: only the blocks they come from
            return self._planes(stream, 1, count)[0][:, 0]
        planes = self._planes(stream, -(-count // GROUP_WORDS))
        return torch.stack(planes, dim=2).flatten(1)[:, :count]

    def uniform(self, stream: int, shape: int | tuple[int, ...], low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform in (low, high) with 32 random bits: float64 (N, *shape)."""
        words = self._shaped(stream, shape)
        return ((words.double() + 0.5) * 2.0**-32) * (high - low) + low

    def integers(self, stream: int, shape: int | tuple[int, ...], low: int, high: int) -> Tensor:
        """Integers of [low, high), by the high half of word * range: int64 (N, *shape)."""
        return ((self._shaped(stream, shape) * (high - low)) >> 32) + low

    def normal(self, stream: int, shape: int | tuple[int, ...]) -> Tensor:
        """Standard normals: float32 (N, *shape)."""
        shape = (shape,) if isinstance(shape, int) else shape
        count = math.prod(shape)
        a, b, c, d = self._planes(stream, -(-count // GROUP_WORDS))
        planes = (*normals_from_words(a, b), *normals_from_words(c, d))
        return torch.stack(planes, dim=2).flatten(1)[:, :count].reshape(len(self), *shape)

    def _shaped(self, stream: int, shape: int | tuple[int, ...]) -> Tensor:
        shape = (shape,) if isinstance(shape, int) else shape
        return self.words(stream, math.prod(shape)).reshape(len(self), *shape)
