"""What the kernels do with pixels, against NumPy."""

from __future__ import annotations

import numpy as np

from lst_robust.corruptions.base import to_uint8
from lst_robust.corruptions.kernels.pixels import join_channels, level, split_channels, unit


def test_a_division_by_255_without_dividing():
    assert [unit(v) for v in np.arange(256, dtype=np.uint8)] == [v / 255.0 for v in range(256)]


def test_a_level_is_clipped_and_truncated_as_the_definition_does():
    x = np.concatenate([np.linspace(-0.5, 1.5, 4001), np.arange(256) / 255.0])
    assert [level(value) for value in x] == to_uint8(x).tolist()


def test_channels_are_taken_apart_and_put_together():
    pixels = np.arange(30, dtype=np.uint8)
    channels = [np.empty(10, np.uint8) for _ in range(3)]
    split_channels(pixels, *channels)
    assert [channel.tolist() for channel in channels] == [list(range(first, 30, 3)) for first in range(3)]
    joined = np.zeros_like(pixels)
    join_channels(*channels, joined)
    np.testing.assert_array_equal(joined, pixels)
