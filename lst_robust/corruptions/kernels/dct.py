"""What JPEG does with blocks of 8 x 8 samples: cosine transform (DCT), rounding of the coefficients, and the way back.

Integer arithmetic, rounded as libjpeg's `jfdctint.c`, `jcdctmgr.c` and `jidctint.c` round it: 13 bits after the binary
point, 2 of which stay between the passes.

Inner loops run over BLOCKS blocks side by side with unsigned indices, and so become vector instructions. Each operation
is cast to int32, because numba would make int64 of it, of which a vector holds half as many.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lst_robust.corruptions.jpeg_steps import quantiser_steps
from lst_robust.corruptions.kernels.compiling import inlined, jit

U, I32, F = np.uint64, np.int32, np.float32
BYTE = np.uint32(255)
BLOCKS = 32
"""Blocks that are transformed together: their 64 coefficients, as int32, fill 8 KiB of the first cache."""
TOO_LARGE = 1 + 2**-18

C0_298, C0_390, C0_541, C0_765, C0_899, C1_175 = I32(2446), I32(3196), I32(4433), I32(6270), I32(7373), I32(9633)
C1_501, C1_847, C1_961, C2_053, C2_562, C3_072 = I32(12299), I32(15137), I32(16069), I32(16819), I32(20995), I32(25172)
"""0.298631336 and so on, times 2^13 (jfdctint.c)."""


@lru_cache(maxsize=256)
def quantiser(quality: int) -> np.ndarray:
    """float32 (2, 2, 64), for luma and chroma: each coefficient's step, and the inverse of its divisor, at the place
    8 * column + row. A divisor is 8 steps, because coefficients are 8 times as large here as in the file.

    The inverse is TOO_LARGE times too large. So a coefficient half way between two multiples, which libjpeg rounds away
    from zero, lies beyond the middle, and no other one (below 2^18) gets as far as the middle.
    """
    steps = quantiser_steps(quality).swapaxes(1, 2).reshape(2, 64)
    return np.stack([steps, TOO_LARGE / (8 * steps)], axis=1).astype(np.float32)


@inlined
def _forward(x0, x1, x2, x3, x4, x5, x6, x7, half, right):
    """jfdctint.c's transform of eight numbers. All but the first and the fifth result are + half and >> right."""
    t0, t1, t2, t3 = I32(x0 + x7), I32(x1 + x6), I32(x2 + x5), I32(x3 + x4)
    t7, t6, t5, t4 = I32(x0 - x7), I32(x1 - x6), I32(x2 - x5), I32(x3 - x4)
    t10, t13, t11, t12 = I32(t0 + t3), I32(t0 - t3), I32(t1 + t2), I32(t1 - t2)
    y0, y4 = I32(t10 + t11), I32(t10 - t11)
    z1 = I32(I32(I32(t12 + t13) * C0_541) + half)
    y2 = I32(I32(z1 + I32(t13 * C0_765)) >> right)
    y6 = I32(I32(z1 - I32(t12 * C1_847)) >> right)
    z3, z4 = I32(t4 + t6), I32(t5 + t7)
    z5 = I32(I32(I32(z3 + z4) * C1_175) + half)
    z1, z2 = I32(I32(t4 + t7) * C0_899), I32(I32(t5 + t6) * C2_562)
    z3, z4 = I32(z5 - I32(z3 * C1_961)), I32(z5 - I32(z4 * C0_390))
    y7 = I32(I32(I32(I32(t4 * C0_298) - z1) + z3) >> right)
    y5 = I32(I32(I32(I32(t5 * C2_053) - z2) + z4) >> right)
    y3 = I32(I32(I32(I32(t6 * C3_072) - z2) + z3) >> right)
    y1 = I32(I32(I32(I32(t7 * C1_501) - z1) + z4) >> right)
    return y0, y1, y2, y3, y4, y5, y6, y7


@inlined
def _inverse(x0, x1, x2, x3, x4, x5, x6, x7, half, right):
    """jidctint.c's transform of eight numbers, each + half and >> right."""
    z1 = I32(I32(x2 + x6) * C0_541)
    t2, t3 = I32(z1 - I32(x6 * C1_847)), I32(z1 + I32(x2 * C0_765))
    t0, t1 = I32(I32(I32(x0 + x4) << I32(13)) + half), I32(I32(I32(x0 - x4) << I32(13)) + half)
    t10, t13, t11, t12 = I32(t0 + t3), I32(t0 - t3), I32(t1 + t2), I32(t1 - t2)
    z3, z4 = I32(x7 + x3), I32(x5 + x1)
    z5 = I32(I32(z3 + z4) * C1_175)
    z1, z2 = I32(I32(x7 + x1) * C0_899), I32(I32(x5 + x3) * C2_562)
    z3, z4 = I32(z5 - I32(z3 * C1_961)), I32(z5 - I32(z4 * C0_390))
    t0, t1 = I32(I32(I32(x7 * C0_298) - z1) + z3), I32(I32(I32(x5 * C2_053) - z2) + z4)
    t2, t3 = I32(I32(I32(x3 * C3_072) - z2) + z3), I32(I32(I32(x1 * C1_501) - z1) + z4)
    return (
        I32(I32(t10 + t3) >> right), I32(I32(t11 + t2) >> right),
        I32(I32(t12 + t1) >> right), I32(I32(t13 + t0) >> right),
        I32(I32(t13 - t0) >> right), I32(I32(t12 - t1) >> right),
        I32(I32(t11 - t2) >> right), I32(I32(t10 - t3) >> right),
    )  # fmt: skip


@inlined
def _rounded(x, table, place):
    """A coefficient to the nearest multiple of its step, see `quantiser`."""
    return I32(np.rint(F(x) * table[1, place]) * table[0, place])


@inlined
def clip(x):
    """int32 to 0..255."""
    return min(max(x, I32(0)), I32(255))


@jit
def _spread_samples(halves, first, stride, work):
    """The samples of 8 x BLOCKS rows as int32; halves: four samples in each uint32.

    A pass of its own, because numbers from bytes are known to be small: the compiler would leave out the casts to int32
    and compute with 64 bits.
    """
    for row in range(U(8)):
        start, out = U(2) * (U(first) + row * U(stride)), row * U(BLOCKS)
        for b in range(U(BLOCKS)):
            low, high, place = halves[start + U(2) * b], halves[start + U(2) * b + U(1)], out + b
            work[place] = I32(low & BYTE)
            work[place + U(8 * BLOCKS)] = I32((low >> np.uint32(8)) & BYTE)
            work[place + U(16 * BLOCKS)] = I32((low >> np.uint32(16)) & BYTE)
            work[place + U(24 * BLOCKS)] = I32(low >> np.uint32(24))
            work[place + U(32 * BLOCKS)] = I32(high & BYTE)
            work[place + U(40 * BLOCKS)] = I32((high >> np.uint32(8)) & BYTE)
            work[place + U(48 * BLOCKS)] = I32((high >> np.uint32(16)) & BYTE)
            work[place + U(56 * BLOCKS)] = I32(high >> np.uint32(24))


@jit
def _rows_to_frequencies(work):
    """- 128, and the first pass of the DCT."""
    for i0 in range(U(8 * BLOCKS)):
        i1, i2, i3 = i0 + U(8 * BLOCKS), i0 + U(16 * BLOCKS), i0 + U(24 * BLOCKS)
        i4, i5, i6, i7 = i0 + U(32 * BLOCKS), i0 + U(40 * BLOCKS), i0 + U(48 * BLOCKS), i0 + U(56 * BLOCKS)
        x0, x1, x2, x3, x4, x5, x6, x7 = _forward(
            work[i0], work[i1], work[i2], work[i3], work[i4], work[i5], work[i6], work[i7], I32(1 << 10), I32(11)
        )
        work[i0], work[i1], work[i2], work[i3] = I32(I32(x0 - I32(8 * 128)) << I32(2)), x1, x2, x3
        work[i4], work[i5], work[i6], work[i7] = I32(x4 << I32(2)), x5, x6, x7


@jit
def _round_columns(work, table):
    """The second pass of the DCT, the rounding, and the first pass of the way back."""
    for column in range(U(8)):
        start, p = column * U(8 * BLOCKS), column * U(8)
        for b in range(U(BLOCKS)):
            i0 = start + b
            i1, i2, i3, i4 = i0 + U(BLOCKS), i0 + U(2 * BLOCKS), i0 + U(3 * BLOCKS), i0 + U(4 * BLOCKS)
            i5, i6, i7 = i0 + U(5 * BLOCKS), i0 + U(6 * BLOCKS), i0 + U(7 * BLOCKS)
            x0, x1, x2, x3, x4, x5, x6, x7 = _forward(
                work[i0], work[i1], work[i2], work[i3], work[i4], work[i5], work[i6], work[i7], I32(1 << 14), I32(15)
            )
            x0, x4 = I32(I32(x0 + I32(2)) >> I32(2)), I32(I32(x4 + I32(2)) >> I32(2))
            x0, x1, x2, x3, x4, x5, x6, x7 = _inverse(
                _rounded(x0, table, p), _rounded(x1, table, p + U(1)),
                _rounded(x2, table, p + U(2)), _rounded(x3, table, p + U(3)),
                _rounded(x4, table, p + U(4)), _rounded(x5, table, p + U(5)),
                _rounded(x6, table, p + U(6)), _rounded(x7, table, p + U(7)),
                I32(1 << 10), I32(11),
            )  # fmt: skip
            work[i0], work[i1], work[i2], work[i3] = x0, x1, x2, x3
            work[i4], work[i5], work[i6], work[i7] = x4, x5, x6, x7


@jit
def _frequencies_to_rows(work, halves, first, stride):
    """The second pass of the way back, and + 128."""
    for row in range(U(8)):
        start, source = U(2) * (U(first) + row * U(stride)), row * U(BLOCKS)
        for b in range(U(BLOCKS)):
            place = source + b
            x0, x1, x2, x3, x4, x5, x6, x7 = _inverse(
                work[place], work[place + U(8 * BLOCKS)], work[place + U(16 * BLOCKS)], work[place + U(24 * BLOCKS)],
                work[place + U(32 * BLOCKS)], work[place + U(40 * BLOCKS)], work[place + U(48 * BLOCKS)],
                work[place + U(56 * BLOCKS)], I32((1 << 17) + (128 << 18)), I32(18),
            )  # fmt: skip
            low = clip(x0) | I32(clip(x1) << I32(8)) | I32(clip(x2) << I32(16)) | I32(clip(x3) << I32(24))
            high = clip(x4) | I32(clip(x5) << I32(8)) | I32(clip(x6) << I32(16)) | I32(clip(x7) << I32(24))
            halves[start + U(2) * b], halves[start + U(2) * b + U(1)] = np.uint32(low), np.uint32(high)


@jit
def compress(halves, table, work):
    """All blocks of a plane. halves: uint32 (16 * blocks,), blocks being a multiple of BLOCKS; overwritten."""
    blocks = len(halves) // 16
    for first in range(0, blocks, BLOCKS):
        _spread_samples(halves, first, blocks, work)
        _rows_to_frequencies(work)
        _round_columns(work, table)
        _frequencies_to_rows(work, halves, first, blocks)
