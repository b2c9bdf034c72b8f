"""The rows that the kernels filter, against the plain filters."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.corruptions.filters import axis_zoom, gaussian, gaussian_weights, motion_blur, motion_taps, zoom
from lst_robust.corruptions.kernels.filters import (
    copy_row,
    extend,
    smooth_row,
    sum_taps,
    tap_starts,
    taps_inside,
    to_levels,
    zoom_row,
)


@pytest.mark.parametrize("sigma", [0.05, 1.0, 6.0])
@pytest.mark.parametrize("single", [False, True])
def test_smooth_row_is_a_row_of_the_gaussian(sigma, single):
    height, width, channels = 9, 11, 1 if single else 3
    x = np.random.default_rng(0).random((height, width, channels))
    x = (x > 0.5).astype(np.float64) if single else x  # mud: a mask, blurred in float32
    expected = gaussian(x[None].astype(np.float32 if single else np.float64), sigma)[0]
    weights, length = gaussian_weights(sigma), width * channels
    padded, row = np.empty(length + 2 * (len(weights) - 1) * channels), np.empty(length)
    for y in range(height):
        smooth_row(x.reshape(-1), y, height, length, channels, weights, single, padded, row, 0)
        np.testing.assert_array_equal(row, expected[y].reshape(-1))


def test_to_levels_clips_and_truncates():
    x = np.array([-0.5, 0.0, 0.999, 1.0, 254.9, 255.0, 300.0])
    out = np.zeros(len(x) + 1, np.uint8)
    to_levels(x, 0, 1.0, out, 1, len(x))
    assert out.tolist() == [0, 0, 0, 0, 1, 254, 255, 255]


@pytest.mark.parametrize("angle", [-135.0, -45.0, 0.0, 30.0, 90.0])
@pytest.mark.parametrize("stop_outside", [False, True])
def test_taps_along_a_line(angle, stop_outside):
    height, width, radius = 10, 13, 6
    image = np.random.default_rng(1).integers(0, 256, (height, width)).astype(np.float64)
    taps = motion_taps(np.array([angle]), radius, 3.0)
    expected = motion_blur(image[None], taps, stop_outside=stop_outside)[0]
    pad = len(taps.weights)
    stride = width + 2 * pad
    padded, row, starts = np.empty(height * stride), np.empty(width), np.empty(pad, np.int64)
    for y in range(height):
        copy_row(image.reshape(-1), y * width, padded, y * stride + pad, width)
        extend(padded[y * stride : (y + 1) * stride], pad, width, 1)
    dy, dx = taps.dy[0], taps.dx[0]
    inside = taps_inside(dy, dx, height, width) if stop_outside else pad
    for y in range(height):
        tap_starts(y, height, stride, pad, 1, dy, dx, starts)
        sum_taps(padded, starts, taps.weights, inside, row)
        np.testing.assert_array_equal(row, expected[y])


@pytest.mark.parametrize("factor", [1.0, 1.31, 2.5])
def test_zoom_row_is_a_row_of_the_zoom(factor):
    x = np.random.default_rng(2).random((1, 1, 12, 3))
    columns = axis_zoom(12, factor)
    rows = axis_zoom(1, 1.0)
    expected = zoom(x, rows, columns)[0, 0].reshape(-1)
    low, high = np.repeat(columns.low, 3), np.repeat(columns.high, 3)
    row = np.empty(len(columns.first) * 3)
    zoom_row(x.reshape(-1), 0, columns.first, columns.stop, low, high, 3, row)
    np.testing.assert_allclose(row, expected, rtol=0, atol=1e-15)
