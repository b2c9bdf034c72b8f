"""The compiled height map against the plain one."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.corruptions import Streams
from lst_robust.corruptions.kernels.plasma import extremes, grow_plasma
from lst_robust.corruptions.plasma import plasma

STREAMS = Streams.for_images("1", 0, "fog", 1, [5])


@pytest.mark.parametrize("size", [2, 16, 64])
@pytest.mark.parametrize("decay", [1.4, 3.0])
def test_the_height_map_scaled_to_its_extremes_is_the_plain_one(size, decay):
    words = STREAMS.words(0, size * size - 1)[0]
    heights, spare = np.empty(size * size), np.empty(size * size)
    grow_plasma(words, size, decay, heights, spare)
    least, most = extremes(heights, size)
    assert (least, most) == (heights.min(), heights.max())
    plain = plasma(STREAMS.uniform(0, size * size - 1), decay)[0]
    np.testing.assert_array_equal((heights.reshape(size, size) - least) / (most - least), plain)
