"""The random streams of lst_robust/corruptions/streams.py on a device: the same words and the same normals.

torch has no arithmetic on 32-bit words without a sign. Here a word is an int32, either with the bits of the word
("raw"), or the word minus 2^31 ("centred"), which keeps the order of the words and their parity. A word is centred by a
change of its first bit.
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
from lst_robust.runtime.devices import sent
from lst_robust.torch_engine.arithmetic import square_root

SIGN = -(1 << 31)
"""The first bit of an int32."""


def product_offset(multiplier: int, device: torch.device) -> Tensor:
    """What `product` adds: int64 (1,)."""
    return torch.full((1,), (multiplier << 31) - (1 << 63), dtype=torch.int64, device=device)


def product(centred: Tensor, multiplier: int, offset: Tensor) -> tuple[Tensor, Tensor]:
    """word * multiplier in 64 bits, as two int32 views: its high half centred, its low half raw.

    One pass: (word - 2^31) * multiplier + 2^31 * multiplier - 2^63 is the product with another first bit, and fits into
    an int64. Integers are exact, so `alpha=` is as good as two operations.
    """
    halves = torch.add(offset, centred, alpha=multiplier).view(torch.int32)
    return halves[..., 1::2], halves[..., 0::2]


def philox(first: Tensor, stream: int, keys: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Philox4x32-10 of the counters (first, stream, 0, 0) under keys: int32 words, centred, raw, centred, raw.

    first: int64 (..., lanes), below 2^31. keys: int64 (..., 2), each a word. Results have the shape of `first`
    broadcast with keys[..., 0]. What all images or all blocks share in the first rounds is computed once.
    """
    rounds = torch.arange(ROUNDS, device=keys.device).view(-1, *(1,) * (keys.ndim - 1))
    keys0, keys1 = ((keys[..., i] + rounds * WEYL[i]).to(torch.int32).unbind() for i in (0, 1))
    c0 = (first + SIGN).to(torch.int32)
    c1, c2, c3 = (torch.full((1,) * first.ndim, x, dtype=torch.int32, device=first.device) for x in (stream, SIGN, 0))
    offset0, offset1 = (product_offset(multiplier, first.device) for multiplier in MULTIPLIERS)
    for k0, k1 in zip(keys0, keys1, strict=True):
        high0, low0 = product(c0, MULTIPLIERS[0], offset0)
        high1, low1 = product(c2, MULTIPLIERS[1], offset1)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
    return c0, c1, c2, c3


def polynomial(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """Horner's rule in float32, one rounding an operation."""
    rounded = [float(np.float32(coefficient)) for coefficient in coefficients]
    result = (x * rounded[-1]).add_(rounded[-2])
    for coefficient in rounded[-3::-1]:
        result = result.mul_(x).add_(coefficient)
    return result


def normals_from_words(radius_words: Tensor, angle_words: Tensor) -> tuple[Tensor, Tensor]:
    """Two independent standard normals from two words each: float32. See corruptions.streams for the method.

    radius_words: int32, centred; angle_words: int32, raw.
    """
    bits = (radius_words >> 1).add_(1 << 30).float().add_(0.5).view(torch.int32)  # of u * 2^31
    exponent = (bits - SQRT_HALF_BITS).bitwise_right_shift_(23)
    f = bits.sub_(exponent << 23).view(torch.float32).sub_(1.0)
    series = polynomial(f, LOG1P).mul_(f)
    radius = square_root((31 - exponent).float().mul_(float(np.float32(LN2))).sub_(series))

    t = (angle_words & 0x3FFFFFFF).sub_(1 << 29).float().mul_(2.0**-29)
    t2 = t * t
    sine, cosine = polynomial(t2, SIN).mul_(t), polynomial(t2, COS)
    normal0, normal1 = (cosine + sine).mul_(radius), cosine.sub_(sine).mul_(radius)
    normal0.view(torch.int32).bitwise_xor_(angle_words & SIGN)  # the first bits of the word are the signs
    normal1.view(torch.int32).bitwise_xor_((angle_words << 1).bitwise_and_(SIGN))
    return normal0, normal1


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
        return cls(sent(torch.from_numpy(streams.keys.astype(np.int64)), torch.device(device)))

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, part: slice) -> TensorStreams:
        return TensorStreams(self.keys[part])

    def _planes(self, stream: int, groups: int, lanes: int = GROUP) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Four int32 (N, groups, lanes): each block's first words, its second words, and so on, as philox has them."""
        device = self.keys.device
        if not len(self):
            return (torch.empty((0, groups, lanes), dtype=torch.int32, device=device),) * 4
        first = torch.arange(groups, device=device)[None, :, None] * GROUP + torch.arange(lanes, device=device)
        return philox(first, stream, self.keys[:, None, None])

    def centred_words(self, stream: int, shape: int | tuple[int, ...]) -> Tensor:
        """The first words of a stream, each minus 2^31: int32 (N, *shape)."""
        shape = (shape,) if isinstance(shape, int) else shape
        count = math.prod(shape)
        if count <= GROUP:  # a few words: only the blocks they come from
            return self._planes(stream, 1, count)[0].reshape(len(self), *shape)
        a, b, c, d = self._planes(stream, -(-count // GROUP_WORDS))
        words = torch.stack((a, b ^ SIGN, c, d ^ SIGN), dim=2)
        return words.flatten(1)[:, :count].reshape(len(self), *shape)

    def words(self, stream: int, count: int) -> Tensor:
        """The first `count` words of a stream: int64 (N, count), from 0 to 2^32 - 1."""
        return self.centred_words(stream, count).long().add_(1 << 31)

    def uniform(self, stream: int, shape: int | tuple[int, ...], low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform in (low, high) with 32 random bits: float64 (N, *shape)."""
        words = self.centred_words(stream, shape).double().add_(2.0**31 + 0.5)
        return words.mul_((high - low) * 2.0**-32).add_(low)  # a power of two changes no rounding

    def integers(self, stream: int, shape: int | tuple[int, ...], low: int, high: int) -> Tensor:
        """Integers of [low, high), by the high half of word * range: int64 (N, *shape). The range is at most 2^31."""
        words, count = self.centred_words(stream, shape), high - low
        offset = torch.full((1,), count << 31, dtype=torch.int64, device=words.device)
        return torch.add(offset, words, alpha=count).bitwise_right_shift_(32).add_(low)

    def normal(self, stream: int, shape: int | tuple[int, ...]) -> Tensor:
        """Standard normals: float32 (N, *shape)."""
        shape = (shape,) if isinstance(shape, int) else shape
        count = math.prod(shape)
        a, b, c, d = self._planes(stream, -(-count // GROUP_WORDS))
        pairs = normals_from_words(torch.stack((a, c), dim=2), torch.stack((b, d), dim=2))
        return torch.stack(pairs, dim=3).flatten(1)[:, :count].reshape(len(self), *shape)
