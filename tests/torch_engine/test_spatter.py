"""Spatter of the torch engine: the plain definition's bytes, of water and of mud."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions.presets import PRESETS
from lst_robust.corruptions.weather import Spatter, apply_spatter
from lst_robust.torch_engine.spatter import with_mud, with_water
from tests.torch_engine.same_bytes import SHAPES, assert_same


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("preset", PRESETS)
def test_of_every_preset_and_severity(any_images, preset, severity):
    assert_same("spatter", any_images(*SHAPES[preset], seed=severity), severity, preset)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_of_the_other_style(any_images, severity):
    for shape in ((2, 17, 23), (2, 48, 16)):
        assert_same("spatter", any_images(*shape), severity, "imagenet", "imagecorruptions")


@pytest.mark.parametrize("severity", [1, 4])
def test_of_extremes_and_of_one_large_image(any_images, severity):
    black = np.zeros((23, 17, 3), np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, black.shape, dtype=np.uint8)
    assert_same("spatter", np.stack([black, ~black, black + 1, noise]), severity, "imagenet")
    assert_same("spatter", any_images(1, 224, 224), severity, "imagenet")


def test_of_many_images():
    """Enough drops for the histogram's and the distances' rare cases."""
    images = np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    for preset, severity in (("cifar", 3), ("cifar", 1), ("imagenet", 2)):
        assert_same("spatter", images, severity, preset)


def sharp(threshold: float, *, mud: bool) -> Spatter:
    """Without smoothing, so that a test decides the liquid."""
    return Spatter(0.0, 1.0, 0.1, threshold, 0.6, mud)


@pytest.mark.parametrize("mud", [False, True])
def test_liquid_above_1_and_at_the_threshold(any_images, mud):
    """A level above 255 starts again at 0, in both engines; mud begins above the threshold, not at it."""
    images = any_images(1, 24, 24)
    field = np.zeros((1, 24, 24))
    field[0, 2:9, 2:9], field[0, 2:9, 14:20], field[0, 14:22, 4:12] = 0.9, 1.02, 0.7
    c = sharp(0.7, mud=mud)
    wanted = apply_spatter(images, {"field": field}, c)
    make = with_mud if mud else with_water
    made = make(torch.from_numpy(images).float() / torch.tensor(255.0), torch.from_numpy(field), c)
    np.testing.assert_array_equal(made.numpy(), wanted)
    assert (wanted != images).any()


def test_no_drop_leaves_the_image(any_images):
    images = any_images(2, 20, 24)
    x = torch.from_numpy(images).float() / torch.tensor(255.0)
    made = with_water(x, torch.zeros((2, 20, 24), dtype=torch.float64), sharp(0.7, mud=False))
    np.testing.assert_array_equal(made.numpy(), images)
