"""brightness, contrast and saturate: golden outputs, and what the definitions say."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions import corrupt


def no_legacy_draws(image, c):
    return {}


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("size", [32, 64, 224])
@pytest.mark.parametrize("name", ["brightness", "contrast", "saturate"])
def test_golden(golden_differences, name, size, severity):
    assert golden_differences(name, size, severity, no_legacy_draws).max() == 0


def test_contrast_takes_the_mean_of_each_image_and_channel():
    images = np.zeros((2, 16, 16, 3), dtype=np.uint8)
    images[0, :8], images[1] = 200, (10, 20, 30)
    result = corrupt(images, "contrast", 2, preset="cifar").astype(int)  # factor .5
    expected = np.zeros_like(result)
    expected[0, :8], expected[0, 8:], expected[1] = 150, 50, (10, 20, 30)
    assert abs(result - expected).max() <= 1  # the mean's rounding, then truncation


def test_saturate_turns_grey_reddish_only_with_a_shift():
    grey = np.full((1, 16, 16, 3), 100, dtype=np.uint8)
    np.testing.assert_array_equal(corrupt(grey, "saturate", 1, preset="imagenet"), grey)
    assert corrupt(grey, "saturate", 5, preset="imagenet")[0, 0, 0].tolist() == [100, 80, 80]
