"""The JPEG that the official files of ImageNet-C and Tiny-ImageNet-C went through after their corruption."""

from __future__ import annotations

import numpy as np

from lst_robust.corruptions.digital import Jpeg, apply_jpeg_compression
from lst_robust.runtime.switches import CORRUPTION_KERNELS, kernels_wanted

OFFICIAL_QUALITY = 85
"""make_imagenet_c.py and make_tinyimagenet_c.py save with PIL's quality=85, which halves the chroma (4:2:0)."""


def as_official_files(images: np.ndarray) -> np.ndarray:
    """What is read back when images, uint8 (N, H, W, 3), are saved as the official files were. Nothing is written."""
    if kernels_wanted(CORRUPTION_KERNELS):
        from lst_robust.corruptions.kernels.jpeg import jpeg_round_trip  # numba, only when it is needed

        return jpeg_round_trip(images, OFFICIAL_QUALITY)
    return apply_jpeg_compression(images, {}, Jpeg(OFFICIAL_QUALITY))
