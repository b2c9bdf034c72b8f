"""The sums under a disk, against the plain definition's, which adds them pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions import constants
from lst_robust.corruptions import filters as plain
from lst_robust.corruptions.presets import PRESETS
from lst_robust.torch_engine.disks import add_weighted_sums, correlate_disk, disk_runs, sums_under_disk


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("preset", PRESETS)
def test_sums_and_weighted_sums(any_images, preset, severity):
    c = constants("defocus_blur", severity, preset)
    images = any_images(2, 16, 29, seed=severity)
    images[1] = 255
    kernel, there = plain.disk(c.radius, c.alias_sigma), torch.from_numpy(images)
    sums = sums_under_disk(there, c.radius, c.alias_sigma)
    assert sums.dtype == torch.int32
    np.testing.assert_array_equal(sums.numpy(), plain._sum_at(images, kernel.inside))
    np.testing.assert_array_equal(
        correlate_disk(there, c.radius, c.alias_sigma).numpy(), plain.correlate_disk(images, kernel)
    )


@pytest.mark.parametrize("radius", [0.5, 3, 8, 10])
def test_runs_are_the_disk(radius):
    places = {
        (dy, dx)
        for (first, last), rows in disk_runs(radius, 0.5).items()
        for dy in rows
        for dx in range(first, last + 1)
    }
    assert places == set(map(tuple, plain.disk(radius, 0.5).inside.tolist()))


@pytest.mark.parametrize("taps", [128, 129])
def test_white_pixels_under_many_taps_of_one_weight(taps):
    """Their sum is 16 bits wide as long as it fits."""
    offsets = np.argwhere(np.ones((12, 12)))[:taps] - 5
    total = torch.zeros((1, 16, 16, 1), dtype=torch.float64)
    white = torch.full((1, 16, 16, 1), 255, dtype=torch.uint8)
    add_weighted_sums(total, white, plain.Taps(np.array([0.5]), (offsets,)))
    assert torch.all(total == taps * 255 * 0.5)
