"""The height maps of the torch engine, bit for bit against the plain ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lst_robust.corruptions.plasma import plasma as plain
from lst_robust.torch_engine.plasma import plasma, scaled


@pytest.mark.parametrize("decay", [1.4, 2, 3])
@pytest.mark.parametrize("size", [2, 16, 64])
def test_plasma(size, decay):
    uniforms = np.random.default_rng(0).random((3, size * size - 1))
    heights = plasma(torch.from_numpy(uniforms), decay)
    wanted = plain(uniforms, decay)
    np.testing.assert_array_equal(scaled(heights, size, size).numpy(), wanted)
    np.testing.assert_array_equal(scaled(heights, size, size // 2).numpy(), wanted[:, :, : size // 2])
