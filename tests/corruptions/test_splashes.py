"""The drops of water of spatter."""

from __future__ import annotations

import numpy as np

from lst_robust.corruptions.splashes import splashes


def test_drops_are_scaled_to_the_strongest():
    liquid = np.zeros((40, 40), np.uint8)
    liquid[10:20, 10:20], liquid[25:35, 25:35] = 200, 120
    drops = splashes(liquid)
    assert drops.dtype == np.float32 and drops.shape == liquid.shape
    assert drops.max() == 1 and drops.min() == 0
    assert not drops[liquid == 0].any(), "where there is no liquid there is no drop"


def test_without_liquid_there_is_no_drop():
    assert not splashes(np.zeros((32, 32), np.uint8)).any()
