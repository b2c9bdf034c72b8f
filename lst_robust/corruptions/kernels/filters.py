"""filters.py, compiled: the same sums in the same order, so the same bits.

Images are flat here: a row of `length` values holds its channels interleaved. Inner loops run over a whole row with
unsigned indices (which spares numba's wrap-around checks), and so become vector instructions.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from lst_robust.corruptions.kernels.compiling import jit

U = np.uint64


@jit
def to_levels(x, start, factor, out, out_start, length):
    """out = the level of x * factor, truncated and clipped to 0..255, on one row. factor: of x's type, 1 or 255.

    Clipping comes last because integers are clipped several times faster; the level is the same.
    """
    start, out_start = U(start), U(out_start)
    for i in range(U(length)):
        level = np.int32(x[start + i] * factor)
        out[out_start + i] = np.uint8(min(max(level, np.int32(0)), np.int32(255)))


@jit
def copy_row(x, start, out, out_start, length):
    """out = x, in out's type, on one row."""
    start, out_start = U(start), U(out_start)
    for i in range(U(length)):
        out[out_start + i] = x[start + i]


@jit
def extend(row, pad, length, channels):
    """Repeat the first and the last pixel over `pad` pixels on either side. row: (2 * pad * channels + length,)."""
    first, last = pad * channels, pad * channels + length - channels
    for i in range(pad):
        for c in range(channels):
            row[i * channels + c] = row[first + c]
            row[last + (i + 1) * channels + c] = row[last + c]


@jit
def weigh(total, start, x, x_start, weight, length):
    """total = x * weight on one row."""
    start, x_start = U(start), U(x_start)
    for i in range(U(length)):
        total[start + i] = x[x_start + i] * weight


@jit
def add_tap(total, x, a, weight, length):
    """total += weight * (x from a) on one row."""
    a = U(a)
    for i in range(U(length)):
        total[i] += weight * x[a + i]


@jit
def add_4_taps(total, x, a, b, c, d, wa, wb, wc, wd, length):
    """Four `add_tap`s in a row, in this order."""
    a, b, c, d = U(a), U(b), U(c), U(d)
    for i in range(U(length)):
        t = total[i] + wa * x[a + i]
        t += wb * x[b + i]
        t += wc * x[c + i]
        total[i] = t + wd * x[d + i]


@jit
def add_pair(total, start, x, a, b, weight, length):
    """total += (x from a + x from b) * weight on one row."""
    start, a, b = U(start), U(a), U(b)
    for i in range(U(length)):
        total[start + i] += (x[a + i] + x[b + i]) * weight


@jit
def add_3_pairs(total, start, x, a0, b0, w0, a1, b1, w1, a2, b2, w2, length):
    """Three `add_pair`s in a row, in this order."""
    start, a0, b0, a1, b1, a2, b2 = U(start), U(a0), U(b0), U(a1), U(b1), U(a2), U(b2)
    for i in range(U(length)):
        t = total[start + i] + (x[a0 + i] + x[b0 + i]) * w0
        t += (x[a1 + i] + x[b1 + i]) * w1
        total[start + i] = t + (x[a2 + i] + x[b2 + i]) * w2


@jit
def smooth_row(x, y, height, length, channels, weights, single, padded, out, start):
    """filters.gaussian, row y of one image, into out from `start`. x: float64 (height * length,), another than out.

    single: round as float32 after each axis. padded: float64 (length + 2 * radius * channels,), scratch.
    """
    radius = len(weights) - 1
    pad = radius * channels
    weigh(padded, pad, x, y * length, weights[0], length)
    k = radius
    while k >= 3:
        add_3_pairs(
            padded, pad, x,
            max(y - k, 0) * length, min(y + k, height - 1) * length, weights[k],
            max(y - k + 1, 0) * length, min(y + k - 1, height - 1) * length, weights[k - 1],
            max(y - k + 2, 0) * length, min(y + k - 2, height - 1) * length, weights[k - 2],
            length,
        )  # fmt: skip
        k -= 3
    while k >= 1:
        add_pair(padded, pad, x, max(y - k, 0) * length, min(y + k, height - 1) * length, weights[k], length)
        k -= 1
    if single:
        round_single(padded, pad, length)
    extend(padded, radius, length, channels)

    weigh(out, start, padded, pad, weights[0], length)
    k = radius
    while k >= 3:
        a, b, c = k * channels, (k - 1) * channels, (k - 2) * channels
        add_3_pairs(
            out, start, padded, pad - a, pad + a, weights[k], pad - b, pad + b, weights[k - 1],
            pad - c, pad + c, weights[k - 2], length,
        )  # fmt: skip
        k -= 3
    while k >= 1:
        add_pair(out, start, padded, pad - k * channels, pad + k * channels, weights[k], length)
        k -= 1
    if single:
        round_single(out, start, length)


@jit
def round_single(x, start, length):
    """Float64 to float32 and back, on one row."""
    start = U(start)
    for i in range(U(length)):
        x[start + i] = np.float64(np.float32(x[start + i]))


@jit
def tap_starts(y, height, stride, pad, channels, dy, dx, starts):
    """Where each tap of row y starts in a (height, stride) image whose rows are extended by `pad` pixels."""
    for t in range(len(starts)):
        starts[t] = min(max(y + dy[t], 0), height - 1) * stride + (pad + dx[t]) * channels


@jit
def sum_taps(padded, starts, weights, taps, total):
    """filters.motion_blur on one row, in the type of its arguments."""
    length = len(total)
    total[:] = 0
    t = 0
    while t + 4 <= taps:
        a, b, c, d = starts[t], starts[t + 1], starts[t + 2], starts[t + 3]
        add_4_taps(total, padded, a, b, c, d, weights[t], weights[t + 1], weights[t + 2], weights[t + 3], length)
        t += 4
    while t < taps:
        add_tap(total, padded, starts[t], weights[t], length)
        t += 1


MARGIN = np.float32(1e-3)
"""More than float32 sums of 41 taps are off: 43 roundings of at most 255 * 2**-25 levels each, 3.3e-4."""


@jit
def taps_to_levels(padded, starts, weights, taps, bias, total, doubt, out, start):
    """The levels of filters.motion_blur + bias on one row: in float32, and again in float64 where that leaves doubt.

    padded, total: float32; weights: float64; doubt: uint64 (at least length / 8,), scratch; out: uint8 from `start`.
    """
    length = len(total)
    sum_taps(padded, starts, weights.astype(np.float32), taps, total)
    flags = doubt.view(np.uint8)
    _sure_levels(total, np.float32(bias), flags, out, start)
    for word in range((length + 7) // 8):
        if doubt[word]:
            for i in range(8 * word, min(8 * word + 8, length)):
                if flags[i]:
                    exact = 0.0
                    for t in range(taps):
                        exact += weights[t] * np.float64(padded[starts[t] + i])
                    out[start + i] = np.uint8(min(np.int32(exact + bias), np.int32(255)))


@jit
def _sure_levels(total, bias, flags, out, start):
    start = U(start)
    for i in range(U(len(total))):
        v = total[i] + bias
        low, high = np.int32(v - MARGIN), np.int32(v + MARGIN)
        flags[i] = np.uint8(low != high)
        out[start + i] = np.uint8(min(low, np.int32(255)))


@jit
def taps_inside(dy, dx, height, width):
    """How many taps come before the first whose offset reaches the image's side."""
    for t in range(len(dy)):
        if abs(dy[t]) >= height or abs(dx[t]) >= width:
            return t
    return len(dy)


@jit
def zoom_row(x, start, first, stop, low, high, channels, out):
    """The columns of filters.zoom on the row of x at `start`: out = x[first] * low + x[first + 1] * high.

    first: of each output pixel; low, high: of each output value, channels interleaved. Pixels whose source is at the
    same distance form a run, and a run is contiguous arithmetic.
    """
    pixels = len(out) // channels
    begin = 0
    while begin < pixels and first[begin] < stop - 1:
        shift, end = first[begin] - begin, begin + 1
        while end < pixels and first[end] - end == shift and first[end] < stop - 1:
            end += 1
        blend_run(x, start + first[begin] * channels, channels, low, high, out, begin * channels, end * channels)
        begin = end
    for i in range(begin * channels, len(out)):  # on the crop's last pixel, which has no right neighbour
        v = x[start + (stop - 1) * channels + i % channels]
        out[i] = v * low[i] + v * high[i]


@jit
def blend_run(x, start, channels, low, high, out, begin, end):
    left, right, begin = U(start), U(start + channels), U(begin)
    for i in range(U(end) - begin):
        out[begin + i] = x[left + i] * low[begin + i] + x[right + i] * high[begin + i]
