"""elastic_transform of the torch engine: the plain definition's bytes, and its parts against scipy and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions import elastic as plain
from lst_robust.corruptions.presets import PRESETS
from lst_robust.torch_engine.elastic import affine, affine_matrix, bilinear, mirrored_place
from tests.torch_engine.same_bytes import SHAPES, assert_same


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("preset", PRESETS)
def test_of_every_preset_and_severity(any_images, preset, severity):
    assert_same("elastic_transform", any_images(*SHAPES[preset], seed=severity), severity, preset)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_of_the_other_style(any_images, severity):
    for shape in ((2, 17, 40), (2, 48, 33)):
        assert_same("elastic_transform", any_images(*shape), severity, "imagenet", "imagecorruptions")


@pytest.mark.parametrize("preset", PRESETS)
def test_of_noise_and_of_flat_images(preset):
    images = np.random.default_rng(0).integers(0, 256, (4, 23, 17, 3), dtype=np.uint8)
    images[1], images[2], images[3] = 0, 255, 77
    for severity in (2, 5):
        assert_same("elastic_transform", images, severity, preset)


@pytest.mark.parametrize("severity", [1, 2])
def test_of_one_large_image(any_images, severity):
    """The severities with hundreds of taps, whose fields are only nearly the definition's."""
    assert_same("elastic_transform", any_images(2, 224, 224), severity, "imagenet")


@pytest.mark.parametrize("size", [(16, 16), (17, 40), (224, 224)])
def test_matrices_and_warps(size):
    random = np.random.default_rng(5)
    offsets = random.uniform(-30, 30, (4, 3, 2))
    wanted = plain.elastic_matrix(*size, offsets)
    made = affine_matrix(*size, torch.from_numpy(offsets))
    np.testing.assert_array_equal(made, wanted)
    images = random.random((4, 16, 20, 3), dtype=np.float32)
    np.testing.assert_array_equal(affine(torch.from_numpy(images), made), plain.elastic_affine(images, wanted))


def looked_up(image, rows, columns):
    """scipy's values of (H, W, 3) at places (H', W')."""
    channels = [map_coordinates(image[..., k], (rows, columns), order=1, mode="reflect") for k in range(3)]
    return np.stack(channels, axis=-1)


@pytest.mark.parametrize("outside", [0.4, 15.9, 100])
def test_places_outside_of_the_image_are_scipys(outside):
    random = np.random.default_rng(6)
    images = random.random((2, 16, 21, 3), dtype=np.float32)
    rows = random.uniform(-outside, 15 + outside, (2, 16, 21))
    columns = random.uniform(-outside, 20 + outside, (2, 16, 21))
    rows[0, 0, :10] = [0, -0.0, 15, 15.5, -1e-16, -1e-15, -0.25, 15.25, 14.999, 7]
    if outside == 100:
        columns[0, 0, :8] = [-21, -42, -42.5, 21, 42, 41.999, -20.5, 62.5]
    places = (
        mirrored_place(torch.from_numpy(rows.copy()), 16, outside),
        mirrored_place(torch.from_numpy(columns.copy()), 21, outside),
    )
    made = bilinear(torch.from_numpy(images), *places).numpy()
    for n in range(2):
        np.testing.assert_array_equal(made[n], looked_up(images[n], rows[n], columns[n]))
