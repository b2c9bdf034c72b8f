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
