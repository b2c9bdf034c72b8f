"""streams.py, compiled: the same words and the same normals, bit for bit. See there for what they are."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from lst_robust.corruptions import streams as plain
from lst_robust.corruptions.kernels.compiling import jit
from lst_robust.corruptions.streams import GROUP, GROUP_WORDS

# numba takes globals as constants of their own type; untyped ones would widen everything to 64 bits.
MULTIPLIER0, MULTIPLIER1 = (np.uint64(m) for m in plain.MULTIPLIERS)
WEYL0, WEYL1 = (np.uint32(w) for w in plain.WEYL)
LOW, HALF_WORD = np.uint64(0xFFFFFFFF), np.uint64(32)
L0, L1, L2, L3, L4, L5, L6, L7 = (np.float32(c) for c in plain.LOG1P)
S0, S1, S2, S3 = (np.float32(c) for c in plain.SIN)
C0, C1, C2, C3 = (np.float32(c) for c in plain.COS)
LN2, HALF, ONE, TWO = (np.float32(c) for c in (plain.LN2, 0.5, 1, 2))
OCTANT = np.float32(2.0**-29)
SQRT_HALF_BITS = np.int32(plain.SQRT_HALF_BITS)
ANGLE_BITS, ANGLE_CENTRE = np.uint32(0x3FFFFFFF), np.int32(1 << 29)


@jit
def _round(c0, c1, c2, c3, k0, k1):
    """One round on words held in 64 bits, which is what vector multipliers work on."""
    p0, p1 = c0 * MULTIPLIER0, c2 * MULTIPLIER1
    return (p1 >> HALF_WORD) ^ c1 ^ k0, p1 & LOW, (p0 >> HALF_WORD) ^ c3 ^ k1, p0 & LOW


@jit
def group_words(key, stream, group, out):
    """The 1024 words of one group. key: uint32 (2,); out: uint32 (GROUP_WORDS,)."""
    k0, k1 = key[0], key[1]
    for i in range(GROUP):
        c0, c1, c2, c3 = np.uint64(group * GROUP + i), np.uint64(stream), np.uint64(0), np.uint64(0)
        for r in range(plain.ROUNDS):
            round_key0 = np.uint64(np.uint32(k0 + np.uint32(r) * WEYL0))
            round_key1 = np.uint64(np.uint32(k1 + np.uint32(r) * WEYL1))
            c0, c1, c2, c3 = _round(c0, c1, c2, c3, round_key0, round_key1)
        out[i], out[GROUP + i] = np.uint32(c0), np.uint32(c1)
        out[2 * GROUP + i], out[3 * GROUP + i] = np.uint32(c2), np.uint32(c3)


@jit
def _plane_normals(radius_words, angle_words, z0, z1):
    """streams.normals_from_words on one plane of a group: float32 (GROUP,) into z0 and z1."""
    for i in range(GROUP):
        v = np.float32(np.int32(radius_words[i] >> np.uint32(1))) + HALF
        bits = np.float32(v).view(np.int32)
        exponent = np.int32(np.int32(bits - SQRT_HALF_BITS) >> np.int32(23))
        f = np.int32(bits - np.int32(exponent << np.int32(23))).view(np.float32) - ONE
        log1p = ((((((L7 * f + L6) * f + L5) * f + L4) * f + L3) * f + L2) * f + L1) * f + L0
        radius = np.sqrt(np.float32(np.int32(np.int32(31) - exponent)) * LN2 - f * log1p)

        word = angle_words[i]
        t = np.float32(np.int32(np.int32(word & ANGLE_BITS) - ANGLE_CENTRE)) * OCTANT
        t2 = t * t
        sine, cosine = t * (((S3 * t2 + S2) * t2 + S1) * t2 + S0), ((C3 * t2 + C2) * t2 + C1) * t2 + C0
        sign0 = ONE - np.float32(np.int32(word >> np.uint32(31))) * TWO
        sign1 = ONE - np.float32(np.int32((word >> np.uint32(30)) & np.uint32(1))) * TWO
        z0[i] = radius * (cosine + sine) * sign0
        z1[i] = radius * (cosine - sine) * sign1


@jit
def group_normals(words, out):
    """The 1024 normals of one group's words. words: uint32 (GROUP_WORDS,); out: float32 (GROUP_WORDS,)."""
    for plane in (0, 2):
        a, b, c = plane * GROUP, (plane + 1) * GROUP, (plane + 2) * GROUP
        _plane_normals(words[a:b], words[b:c], out[a:b], out[b:c])


@jit
def fill_words(key, stream, out):
    """Streams.words of one image. key: uint32 (2,); out: uint32 (count,)."""
    full = len(out) // GROUP_WORDS
    for group in range(full):
        group_words(key, stream, group, out[group * GROUP_WORDS : (group + 1) * GROUP_WORDS])
    rest = len(out) - full * GROUP_WORDS
    if rest:
        words = np.empty(GROUP_WORDS, np.uint32)
        group_words(key, stream, full, words)
        out[full * GROUP_WORDS :] = words[:rest]


@jit
def fill_normals(key, stream, out):
    """Streams.normal of one image. key: uint32 (2,); out: float32 (count,)."""
    words, normals = np.empty(GROUP_WORDS, np.uint32), np.empty(GROUP_WORDS, np.float32)
    for start in range(0, len(out), GROUP_WORDS):
        group_words(key, stream, start // GROUP_WORDS, words)
        group_normals(words, normals)
        count = min(GROUP_WORDS, len(out) - start)
        out[start : start + count] = normals[:count]


@jit
def _random_numbers(keys, stream, out):
    for n in range(len(keys)):
        fill_words(keys[n], stream, out[n])


class CompiledStreams(plain.Streams):
    """Streams whose words come from the kernel, for the `draw` of a corruption with a few numbers an image."""

    def words(self, stream: int, count: int) -> np.ndarray:
        out = np.empty((len(self), count), np.uint32)
        _random_numbers(self.keys, stream, out)
        return out
