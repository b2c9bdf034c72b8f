"""brightness, saturate and contrast of the torch engine: the plain definition's bytes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions.presets import PRESETS
from lst_robust.torch_engine.color import SUMMED_IN_ORDER, means_of_one_value
from tests.torch_engine.same_bytes import SHAPES, assert_same, both

COLOURS = ["brightness", "saturate", "contrast"]
FLAT = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None, None], (256, 16, 16, 3))


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", COLOURS)
def test_of_every_preset_and_severity(any_images, name, preset, severity):
    assert_same(name, any_images(*SHAPES[preset], seed=severity), severity, preset)


@pytest.mark.parametrize("name", COLOURS)
def test_of_pure_noise_extremes_and_one_large_image(any_images, name):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (3, 23, 17, 3), dtype=np.uint8)
    extremes = rng.integers(0, 2, (3, 17, 23, 3), dtype=np.uint8) * np.uint8(255)
    for severity in SEVERITIES:
        assert_same(name, noise, severity, "imagenet")
        assert_same(name, extremes, severity, "cifar")
    assert_same(name, any_images(1, 224, 224), 3, "imagenet")


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("preset", ["imagenet", "cifar"])
@pytest.mark.parametrize("name", COLOURS)
def test_of_flat_grey_images_of_each_level(name, preset, severity):
    """saturate makes some of them red; contrast keeps or loses a level with the last bit of the mean."""
    assert_same(name, FLAT.copy(), severity, preset)


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", ["brightness", "saturate"])
def test_of_colours_of_all_kinds(name, preset, severity):
    """Each channel in turn the largest, the smallest and between, with equal ones, and with neighbours."""
    levels = np.array([0, 1, 2, 50, 51, 52, 100, 127, 128, 129, 153, 200, 203, 204, 253, 254, 255], np.uint8)
    images = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    assert_same(name, images, severity, preset)


def test_means_are_summed_in_the_order_of_the_pixels():
    """Two levels in half an image each: their mean falls on whole levels, where the last bit of the sum decides."""
    rng = np.random.default_rng(0)
    side = int(SUMMED_IN_ORDER**0.5)
    for shape in ((40, 32, 32, 3), (4, side, side, 3)):
        images = np.empty(shape, np.uint8)
        images[:, : shape[1] // 2] = rng.integers(0, 256, (shape[0], 1, 1, 3))
        images[:, shape[1] // 2 :] = rng.integers(0, 256, (shape[0], 1, 1, 3))
        for severity in SEVERITIES:
            assert_same("contrast", images, severity, "imagenet")


def test_contrast_of_large_images():
    """Equal in channels of one value; elsewhere a value on a whole level may become one level more or less."""
    height, width = 104, 96
    assert height * width > SUMMED_IN_ORDER
    rng = np.random.default_rng(0)
    flat = np.broadcast_to(rng.integers(0, 256, (12, 1, 1, 3), dtype=np.uint8), (12, height, width, 3)).copy()
    flat[6:, :, :, 1] = rng.integers(0, 256, (6, height, width))
    halves = flat.copy()
    halves[:, : height // 2] = rng.integers(0, 256, (12, 1, 1, 3))
    for severity in SEVERITIES:
        assert_same("contrast", flat, severity, "imagenet")
        wanted, made = both("contrast", halves, severity, "imagenet")
        assert np.abs(wanted.astype(int) - made).max() <= 1
        assert (wanted != made).any(axis=(1, 2, 3)).mean() < 0.5


@pytest.mark.parametrize("shape", [(17, 23), (224, 224)])
def test_means_of_one_value(shape):
    means = means_of_one_value(*shape, torch.device("cpu")).numpy()
    for value in (0, 1, 100, 155, 255):
        image = np.full((1, *shape, 3), value, np.uint8) / 255.0
        assert (image.mean(axis=(1, 2)) == means[value]).all()
