"""The filters of the blurs and of the weather, each against an independent formulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from lst_robust.corruptions.filters import (
    axis_zoom,
    gaussian,
    motion_blur,
    motion_taps,
    zoom,
)


@pytest.mark.parametrize("sigma", [0.05, 0.4, 1.5, 6])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gaussian_is_scipy_s(any_images, sigma, dtype):
    x = (any_images(2, 19, 37) / 255.0).astype(dtype)
    expected = ndimage.gaussian_filter(x, (0, sigma, sigma, 0), mode="nearest")
    np.testing.assert_array_equal(gaussian(x, sigma), expected)


def test_motion_blur_moves_towards_its_angle():
    image = np.zeros((1, 41, 41), dtype=np.uint8)
    image[0, 20, 20] = 255
    for angle, (dy, dx) in {0.0: (0, 1), 90.0: (1, 0), -90.0: (-1, 0), -45.0: (-1, 1)}.items():
        taps = motion_taps(np.array([angle]), 5, 2)
        blurred = motion_blur(image, taps, stop_outside=False)[0]
        # a pixel is the sum of those ahead of it, so the point's trail is behind it
        lit = np.argwhere(blurred > 1e-12) - 20
        assert (lit @ np.array([dy, dx]) <= 0).all(), angle
        assert blurred.sum() == pytest.approx(255)
        assert blurred[20, 20] > 40


@pytest.mark.parametrize("stop_outside", [False, True])
def test_motion_blur_stops_outside_only_where_asked(stop_outside):
    """31 taps over 16 pixels: imagecorruptions drops those beyond the border and gets darker, ImageMagick does not."""
    image = np.full((1, 16, 16, 3), 200, dtype=np.uint8)
    blurred = motion_blur(image, motion_taps(np.zeros(1), 15, 12), stop_outside=stop_outside)
    taps = motion_taps(np.zeros(1), 15, 12).weights
    assert blurred.max() == pytest.approx(200 * (taps[:16].sum() if stop_outside else 1))


@pytest.mark.parametrize("factor", [1, 1.01, 1.07, 1.28, 1.75, 2.25, 3, 4.5])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (33, 50), (224, 61)])
def test_zoom_is_scipy_s(factor, height, width):
    x = np.random.default_rng(0).normal(size=(1, height, width, 2))
    rows, columns = axis_zoom(height, factor), axis_zoom(width, factor)
    crop = x[0, rows.start : rows.stop, columns.start : columns.stop]
    expected = ndimage.zoom(crop, (factor, factor, 1), order=1)
    np.testing.assert_allclose(zoom(x, rows, columns)[0], expected, rtol=0, atol=4e-15)  # it sums in another order
    np.testing.assert_array_equal(zoom(crop[None], rows.cropped(), columns.cropped()), zoom(x, rows, columns))
