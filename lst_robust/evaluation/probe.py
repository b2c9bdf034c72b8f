"""What a network computes, by its answers to a few images that are always the same.

The answers are kept with each run. A network that gives others is another network, whatever its weights, settings and
names say, and its cells belong to another run.

Tolerance. The number of threads, fused or plain kernels, CPU or GPU and mixed precision change an answer by rounding
only. docs/identity.md has what was measured: see TOLERANCE there.
"""

from __future__ import annotations

import numpy as np

SEED, IMAGES = 20200823, 4  # two of noise, two of smooth colours
TOLERANCE = 0.02  # of the answers' standard deviation
ROUNDING = 1e-5  # of an answer: counts where all answers are nearly the same


def probe_images(size: int) -> np.ndarray:
    """uint8 (4, size, size, 3): the same for everybody. Two hold noise of every pixel, two a random 4 x 4 pattern."""
    random = np.random.Generator(np.random.Philox(SEED))
    coarse = random.integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    noise = random.integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    place = np.arange(size) * 4 // size
    return np.concatenate([noise, coarse[:, place][:, :, place]])


def same_answers(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two sets of answers, float32 (4, classes), are those of one network, to rounding. NaN equals NaN."""
    if first.shape != second.shape:
        return False
    finite = first[np.isfinite(first)].astype(np.float64)
    spread = float(finite.std()) if finite.size else 0.0
    return bool(np.allclose(first, second, rtol=ROUNDING, atol=TOLERANCE * spread, equal_nan=True))
