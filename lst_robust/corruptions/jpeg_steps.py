"""What JPEG keeps of each coefficient: the steps to whose multiples an encoder rounds."""

from __future__ import annotations

import numpy as np

# fmt: off
LUMA = (  # ITU-T T.81, tables K.1 and K.2, row by row
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)
CHROMA = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, *(99,) * 32,
)
# fmt: on


def quantiser_steps(quality: int) -> np.ndarray:
    """The steps of luma and of chroma at a quality of 1 to 100, by row and column: int64 (2, 8, 8), 1 to 255.

    As libjpeg's jcparam.c scales the tables of the standard.
    """
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps = np.clip((np.array([LUMA, CHROMA]) * scale + 50) // 100, 1, 255)
    return steps.reshape(2, 8, 8)
