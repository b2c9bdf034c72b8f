"""What kernels do with pixels: x / 255, clip-scale-truncate as base.to_uint8, channels apart and together."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from lst_robust.corruptions.kernels.compiling import jit

# 1 / 255 as the sum of 44 leading bits and a rest: v * HIGH is exact and v * HIGH + v * REST is v / 255, correctly
# rounded, for all 256 values (a test tries each), without a division.
HIGH_255 = float(np.floor(2.0**52 / 255) / 2.0**52)
REST_255 = (1 - 255 * HIGH_255) / 255


@jit
def unit(value):
    """value / 255 of a uint8: float64."""
    v = np.float64(value)
    return v * HIGH_255 + v * REST_255


@jit
def level(x):
    """uint8 of one number, clipped to [0, 1], times 255, truncated."""
    x = x if x > 0.0 else 0.0
    x = x if x < 1.0 else 1.0
    return np.uint8(np.int32(x * 255.0))


@jit
def split_channels(pixels, red, green, blue):
    """Interleaved RGB into three arrays."""
    for i in range(len(pixels) // 3):
        red[i], green[i], blue[i] = pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]


@jit
def join_channels(red, green, blue, pixels):
    """Three arrays into interleaved RGB."""
    for i in range(len(pixels) // 3):
        pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2] = red[i], green[i], blue[i]
