"""Between uint8 and float64, compiled: x / 255 and clip-scale-truncate, as base.to_unit and base.to_uint8."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from lst_robust.corruptions.compiling import jit

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
