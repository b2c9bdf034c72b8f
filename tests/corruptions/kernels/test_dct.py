"""The rounding of coefficients: libjpeg's integers, found by one product of floats."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lst_robust.corruptions.kernels.compiling import jit
from lst_robust.corruptions.kernels.dct import TOO_LARGE, _rounded, quantiser

LARGEST = 8 * 1024 + 64  # a coefficient times 8: 64 samples of -128, and some more


@jit
def all_rounded(coefficients, table, out):
    for i in range(len(coefficients)):
        out[i] = _rounded(coefficients[i], table, 0)


def test_every_coefficient_is_rounded_to_its_step_as_libjpeg_does():
    """Half a step away from zero, for all steps that there are."""
    coefficients = np.arange(-LARGEST, LARGEST + 1, dtype=np.int32)
    ours = np.empty_like(coefficients)
    for step in range(1, 256):
        table = np.array([[step], [TOO_LARGE / (8 * step)]], np.float32)
        all_rounded(coefficients, table, ours)
        levels = (np.abs(coefficients) + 4 * step) // (8 * step) * step
        np.testing.assert_array_equal(ours, np.sign(coefficients) * levels)


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 51, 85, 95, 100])
def test_the_steps_are_those_in_pillow_s_file(tmp_path, quality):
    Image.new("RGB", (16, 16)).save(tmp_path / "x.jpg", quality=quality)
    in_file = Image.open(tmp_path / "x.jpg").quantization
    steps = quantiser(quality)[:, 0].reshape(2, 8, 8).swapaxes(1, 2).reshape(2, 64)  # by column before, by row now
    assert steps.tolist() == [list(in_file[0]), list(in_file[1])]
