"""The networks that are looked at."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from lst_robust.features.subject import CALIBRATION_BATCH, calibrate


def test_each_image_counts_the_same_in_the_statistics_of_an_untrained_network():
    """Also the one that is left over after whole batches, which has another value than all others."""
    count = CALIBRATION_BATCH + 1
    images = np.zeros((count, 2, 2, 3), np.float32)
    images[-1] = count
    norm = nn.BatchNorm2d(3)
    subject = SimpleNamespace(
        label="net",
        network=nn.Sequential(norm),
        images=SimpleNamespace(clean=Images(images)),
        preprocess=lambda array: torch.from_numpy(array).permute(0, 3, 1, 2),
    )
    calibrate(subject)
    assert norm.running_mean.tolist() == pytest.approx([1.0] * 3, rel=0.03)  # batches of 33 and 32 images
    assert not norm.training and norm.momentum == 0.1


class Images:
    def __init__(self, images: np.ndarray) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def read(self, indices: np.ndarray) -> np.ndarray:
        return self._images[indices]
