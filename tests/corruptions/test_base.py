"""What the corruptions share: levels, checks of results, and kernels that are imported when they are called."""

from __future__ import annotations

import re

import numpy as np
import pytest

from lst_robust.corruptions.base import checked_result, compiled, no_draws, to_uint8, to_unit
from lst_robust.corruptions.noise import Noise
from lst_robust.corruptions.streams import Streams
from lst_robust.errors import UsageError

STREAMS = Streams.for_images("1", 0, "any", 1, range(2))


def test_levels_become_unit_and_back():
    levels = np.arange(256, dtype=np.uint8)
    assert to_unit(levels).dtype == np.float64 and to_unit(levels)[[0, 255]].tolist() == [0, 1]
    back = to_uint8(to_unit(levels)).astype(int)
    assert set(levels - back) <= {0, 1}, "truncation may lose a level"
    assert to_uint8(np.array([-0.1, 0.9999, 1.2])).tolist() == [0, 254, 255]


def test_a_right_result_is_handed_on():
    images = np.zeros((2, 16, 16, 3), np.uint8)
    assert checked_result("mine", images, images.shape) is images


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "corruption mine returned NoneType: return a uint8 array of shape (2, 3)"),
        ([1], "corruption mine returned list"),
        (np.zeros((2, 3)), "corruption mine returned float64 (2, 3): return uint8 (2, 3)"),
        (np.zeros((3, 2), np.uint8), "corruption mine returned uint8 (3, 2): return uint8 (2, 3)"),
    ],
)
def test_another_result_is_refused(result, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        checked_result("mine", result, (2, 3))


def test_a_kernel_is_looked_up_when_it_is_called():
    images = np.full((2, 16, 16, 3), 100, np.uint8)
    assert compiled("noise", "gaussian_noise")(images, STREAMS, Noise(0.0)).tolist() == images.tolist()
    absent = compiled("noise", "no_such_kernel")
    with pytest.raises(AttributeError, match="no_such_kernel"):
        absent(images, STREAMS, Noise(0.0))


def test_no_draws_are_none():
    assert no_draws(STREAMS, 16, 16, None) == {}
