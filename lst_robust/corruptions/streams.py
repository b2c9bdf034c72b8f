"""Counter-based randomness that belongs to the image, not to the process.

Every image of a cell has its own Philox4x32-10 key (Salmon et al., "Parallel random numbers: as easy as 1, 2,
3", SC 2011), hashed from (engine version, seed, corruption, severity, image id). So an image's noise does not
depend on batch size, order, workers or machines, and no global state is read or written.

Word order: block b of stream s encrypts the counter (b, s, 0, 0) into four words. Blocks come in groups of
256; a group's first words stand first, then its second words, and so on, which suits vector units. Word i is
therefore the same however many words are asked for.

Normals are Box-Muller with our own polynomials in float32, using only + - * sqrt and bit operations, each
rounded as IEEE 754 demands: a compiled kernel and NumPy give the same bits on any machine, which libm does
not promise.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

ID_ERRORS = "surrogateescape"
"""How an id becomes bytes where it is a file's name that is not UTF-8."""

GROUP = 256
"""Blocks of four words whose words are stored plane by plane."""
GROUP_WORDS = 4 * GROUP

# Philox4x32-10: multipliers and Weyl increments of the paper, table 2.
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10

# Chebyshev fits in float32. LOG1P: log(1 + f) / f on [sqrt(1/2) - 1, sqrt(2) - 1], relative error 2e-7.
# SIN: sin(pi/4 t) / t and COS: cos(pi/4 t), both in t², on [-1, 1], errors 3e-9 and 3e-8. Lowest power first.
LOG1P = (0.99999994, -0.50000376, 0.33334607, -0.24968907, 0.19913349, -0.17278206, 0.16126248, -0.09895351)
SIN = (0.7853982, -0.080745436, 0.0024900069, -3.5954290e-05)
COS = (1.0, -0.30842426, 0.01584991, -0.00031887749)
LN2 = 0.6931472
SQRT_HALF_BITS = 0x3F3504F3
"""The float32 bit pattern of sqrt(1/2): mantissas are taken from [sqrt(1/2), sqrt(2))."""


def philox(counters: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Philox4x32-10 of uint32 counters (..., 4) under uint32 keys (..., 2): uint32 (..., 4), by
    broadcasting."""
    shape = np.broadcast_shapes(counters.shape[:-1], keys.shape[:-1])
    c0, c1, c2, c3 = (np.broadcast_to(counters[..., i], shape).astype(np.uint32) for i in range(4))
    k0, k1 = keys[..., 0].astype(np.uint32), keys[..., 1].astype(np.uint32)
    for _ in range(ROUNDS):
        p0 = c0.astype(np.uint64) * np.uint64(MULTIPLIERS[0])
        p1 = c2.astype(np.uint64) * np.uint64(MULTIPLIERS[1])
        high0, high1 = (p0 >> np.uint64(32)).astype(np.uint32), (p1 >> np.uint64(32)).astype(np.uint32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, p1.astype(np.uint32), high0 ^ c3 ^ k1, p0.astype(np.uint32)
        with np.errstate(over="ignore"):  # modulo 2^32 is meant
            k0, k1 = k0 + np.uint32(WEYL[0]), k1 + np.uint32(WEYL[1])
    return np.stack([c0, c1, c2, c3], axis=-1)


def polynomial(x: np.ndarray, coefficients: tuple[float, ...]) -> np.ndarray:
    """Horner's rule in float32, one rounding an operation."""
    result = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        result *= x
        result += np.float32(coefficient)
    return result


def normals_from_words(radius_words: np.ndarray, angle_words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two independent standard normals from two uint32 words each: float32, |z| <= 6.66, same shape as the
    words.

    Box-Muller on one octant pair: with u in (0, 1] from 31 bits of the first word and t uniform in [-1, 1)
    from 30 bits of the second, sqrt(-2 ln u) times the cosine and sine of pi/4 (1 + t) are sqrt(-ln u) (cos -
    sin) and sqrt(-ln u) (cos + sin) of pi/4 t; the two bits left over are the signs.
    """
    v = (radius_words >> np.uint32(1)).astype(np.float32) + np.float32(0.5)  # u * 2^31
    bits = v.view(np.int32)
    exponent = (bits - np.int32(SQRT_HALF_BITS)) >> np.int32(23)
    f = (bits - (exponent << np.int32(23))).view(np.float32) - np.float32(1)
    minus_log = (np.int32(31) - exponent).astype(np.float32) * np.float32(LN2) - f * polynomial(f, LOG1P)
    radius = np.sqrt(minus_log)

    t = (angle_words & np.uint32(0x3FFFFFFF)).astype(np.int32) - np.int32(1 << 29)
    t = t.astype(np.float32) * np.float32(2.0**-29)
    t2 = t * t
    sine, cosine = t * polynomial(t2, SIN), polynomial(t2, COS)
    sign0 = np.float32(1) - (angle_words >> np.uint32(31)).astype(np.float32) * np.float32(2)
    sign1 = np.float32(1) - ((angle_words >> np.uint32(30)) & np.uint32(1)).astype(np.float32) * np.float32(2)
    return radius * (cosine + sine) * sign0, radius * (cosine - sine) * sign1


class Streams:
    """The random streams of N images: one Philox key an image, any number of numbered streams under each.

    Every method takes the stream's number; draws that must be independent use different numbers. Shapes are
    those of one image's draw, and results have a leading axis N. Slicing gives the streams of a part of the
    images.
    """

    def __init__(self, keys: np.ndarray) -> None:
        """keys: uint32 (N, 2)."""
        self.keys = keys

    @classmethod
    def for_images(cls, version: str, seed: int, corruption: str, severity: int, ids: Iterable[int | str]) -> Streams:
        """Keys from blake2b("version|seed|corruption|severity|id"). An id is its text: 7 and "7" are one
        image."""
        prefix = blake2b(f"{version}|{seed}|{corruption}|{severity}|".encode(), digest_size=8)
        digests = []
        for image_id in ids:
            key = prefix.copy()
            key.update(str(image_id).encode("utf-8", ID_ERRORS))
            digests.append(key.digest())
        return cls(np.frombuffer(b"".join(digests), dtype="<u4").astype(np.uint32).reshape(-1, 2))

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, part: slice) -> Streams:
        return Streams(self.keys[part])

    def _planes(self, stream: int, groups: int, lanes: int = GROUP) -> np.ndarray:
        """uint32 (N, groups, 4, lanes): the words by group, place in the block and block."""
        counters = np.zeros((groups, lanes, 4), dtype=np.uint32)
        counters[..., 0] = np.arange(groups)[:, None] * GROUP + np.arange(lanes)
        counters[..., 1] = stream
        return philox(counters, self.keys[:, None, None]).swapaxes(2, 3)

    def words(self, stream: int, count: int) -> np.ndarray:
        """The first `count` words of a stream: uint32 (N, count)."""
        if count <= GROUP:  # a few words: only the blocks they come from
            return self._planes(stream, 1, count)[:, 0, 0]
        groups = -(-count // GROUP_WORDS)
        return self._planes(stream, groups).reshape(len(self), -1)[:, :count]

    def uniform(self, stream: int, shape: int | tuple[int, ...], low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """Uniform in (low, high) with 32 random bits: float64 (N, *shape)."""
        shape = (shape,) if isinstance(shape, int) else shape
        words = self.words(stream, int(np.prod(shape, dtype=np.int64))).reshape(len(self), *shape)
        return low + (high - low) * ((words + 0.5) * 2.0**-32)

    def integers(self, stream: int, shape: int | tuple[int, ...], low: int, high: int) -> np.ndarray:
        """Integers of [low, high), by the high half of word * range: int64 (N, *shape)."""
        shape = (shape,) if isinstance(shape, int) else shape
        words = self.words(stream, int(np.prod(shape, dtype=np.int64))).reshape(len(self), *shape)
        return ((words.astype(np.uint64) * np.uint64(high - low)) >> np.uint64(32)).astype(np.int64) + low

    def normal(self, stream: int, shape: int | tuple[int, ...]) -> np.ndarray:
        """Standard normals: float32 (N, *shape), |z| <= 6.66, steps of about 1e-7 of the value."""
        shape = (shape,) if isinstance(shape, int) else shape
        count = int(np.prod(shape, dtype=np.int64))
        planes = self._planes(stream, -(-count // GROUP_WORDS))
        normals = np.empty(planes.shape, dtype=np.float32)
        for pair in (0, 2):
            normals[:, :, pair], normals[:, :, pair + 1] = normals_from_words(
                planes[:, :, pair], planes[:, :, pair + 1]
            )
        return normals.reshape(len(self), -1)[:, :count].reshape(len(self), *shape)
