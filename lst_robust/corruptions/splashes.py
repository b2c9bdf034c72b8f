"""The drops of water of spatter: edges, distances and an emboss filter, by OpenCV on uint8."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

EMBOSS = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])


def splashes(liquid: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How strongly each pixel is under a drop, the strongest being 1. liquid: uint8 (H, W) -> float32 (H, W).

    All 0 where no drop is strong enough to be seen (the reference divides by 0 there and gives a black image).
    """
    distance = cv2.distanceTransform(255 - cv2.Canny(liquid, 50, 150), cv2.DIST_L2, 5)
    _, distance = cv2.threshold(distance, 20, 20, cv2.THRESH_TRUNC)
    relief = cv2.equalizeHist(cv2.blur(distance, (3, 3)).astype(np.uint8))
    relief = cv2.blur(cv2.filter2D(relief, cv2.CV_8U, EMBOSS), (3, 3))
    drops = np.multiply(liquid, relief, dtype=np.float32)
    strongest = drops.max()
    if strongest > 0:
        drops /= strongest
    return drops
