"""The height map behind fog."""

from __future__ import annotations

import numpy as np

from lst_robust.corruptions.plasma import plasma


def test_plasma_spans_0_to_1_and_is_each_image_s_own():
    uniforms = np.random.default_rng(0).random((3, 32 * 32 - 1))
    maps = plasma(uniforms, 2)
    assert maps.shape == (3, 32, 32)
    np.testing.assert_array_equal(maps.min(axis=(1, 2)), 0)
    np.testing.assert_array_equal(maps.max(axis=(1, 2)), 1)
    np.testing.assert_array_equal(maps[1:2], plasma(uniforms[1:2], 2))
