"""The edges of the torch engine are those of OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from lst_robust.torch_engine.canny import canny
from tests.torch_engine.liquids import FIELDS, SIZES, hard_images, smooth_fields


def assert_same_edges(images: np.ndarray) -> None:
    wanted = np.stack([cv2.Canny(image, 50, 150) for image in images]) > 0
    np.testing.assert_array_equal(canny(torch.from_numpy(images)).numpy(), wanted)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("size", SIZES)
def test_of_smooth_fields(size, field):
    assert_same_edges(smooth_fields(size, *field))


@pytest.mark.parametrize("size", SIZES)
def test_of_hard_images(size):
    assert_same_edges(hard_images(size))


def test_of_large_images():
    assert_same_edges(np.concatenate([hard_images((224, 224)), smooth_fields((224, 224), *FIELDS[1])]))


def test_a_long_weak_line_is_an_edge_where_it_has_a_strong_end():
    """What the hard images are for: edges that reach through the image, and only because of their end."""
    images = hard_images((64, 64))
    weak, strong = canny(torch.from_numpy(images[3:5])).sum((1, 2)).tolist()
    assert weak == 0 and strong > 300


@pytest.mark.parametrize("slope", range(0, 360, 5))
def test_of_every_direction(slope):
    """Ramps with a step: the gradient's direction decides with which neighbours a pixel is compared."""
    y, x = np.mgrid[:32, :32] - 15.5
    across = np.cos(np.deg2rad(slope)) * x + np.sin(np.deg2rad(slope)) * y
    images = [127 + height * np.tanh(across / wide) for height in (20, 60, 127) for wide in (0.5, 2, 5)]
    assert_same_edges(np.stack(images).astype(np.uint8))


@pytest.mark.parametrize(("dx", "dy"), [(338, 140), (140, 338), (-338, 140), (140, -338)])
def test_of_gradients_next_to_the_limits_between_directions(dx, dy):
    """140 / 338 is less than OpenCV's tangent of 22.5 degrees by 1.4e-5: a coarser tangent would take another side."""
    random = np.random.default_rng(6)
    images = random.integers(0, 256, (4000, 16, 16), dtype=np.uint8)
    corners = random.integers(0, 256, (4000, 2, 2))
    corners[:, 0, 0] += corners.sum((1, 2)) % 2  # so that the halves below are whole numbers
    (upper_left, upper_right), (lower_left, lower_right) = corners.transpose(1, 2, 0)
    across = (dx - (upper_right + lower_right - upper_left - lower_left)) // 2
    down = (dy - (lower_left + lower_right - upper_left - upper_right)) // 2
    left, top = (255 - across) // 2, (255 - down) // 2
    around = np.stack([upper_left, top, upper_right, left, left + across, lower_left, top + down, lower_right], 1)
    fits = ((around >= 0) & (around <= 255)).all(1)
    images, around = images[fits], around[fits]
    for i, (y, x) in enumerate(((0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2))):
        images[:, 7 + y, 7 + x] = around[:, i]
    derivatives = (cv2.Sobel(images[-1], cv2.CV_16S, *order)[8, 8] for order in ((1, 0), (0, 1)))
    assert len(images) > 500 and tuple(derivatives) == (dx, dy)
    assert_same_edges(images)
