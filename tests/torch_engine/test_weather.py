"""Snow, frost and fog of the torch engine: the plain definition's bytes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions import Streams, constants, textures
from lst_robust.corruptions.presets import PRESETS
from lst_robust.corruptions.weather import draw_frost, draw_snow, luma, snow_layer
from lst_robust.errors import UsageError
from lst_robust.torch_engine import TensorStreams, corrupt_tensor, weather
from tests.torch_engine.same_bytes import SHAPES, assert_same, both

WEATHER = ["snow", "frost", "fog"]
CPU = torch.device("cpu")


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", WEATHER)
def test_of_every_preset_and_severity(any_images, name, preset, severity):
    assert_same(name, any_images(*SHAPES[preset], seed=severity), severity, preset)


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", WEATHER)
def test_of_the_other_style(any_images, name, severity):
    for shape in ((2, 17, 23), (2, 48, 16)):
        assert_same(name, any_images(*shape), severity, "imagenet", "imagecorruptions")


@pytest.mark.parametrize("name", WEATHER)
def test_of_extremes_and_of_one_large_image(any_images, name):
    black = np.zeros((23, 17, 3), np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, black.shape, dtype=np.uint8)
    for severity in (1, 4):
        assert_same(name, np.stack([black, ~black, black + 1, noise]), severity, "imagenet")
    assert_same(name, any_images(1, 224, 224), 5, "imagenet")


@pytest.mark.parametrize("preset", ["imagenet", "cifar"])
def test_frost_of_every_texture(preset):
    """Each image its own crop, and of 40 images every texture has one."""
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
    drawn = draw_frost(Streams.for_images("1", 2, "frost", 2, range(40)), 16, 16, constants("frost", 2, preset))
    assert set(drawn["texture"]) == {0, 1, 2, 3, 4}
    assert_same("frost", images, 2, preset)


def test_frost_on_images_larger_than_the_textures(monkeypatch, any_images):
    """The style imagecorruptions enlarges textures; smaller ones stand for them here."""
    small = tuple(np.ascontiguousarray(texture[:40, :50]) for texture in textures.frost_textures())
    monkeypatch.setattr(textures, "frost_textures", lambda: small)
    for cached in (textures.fitted_frost_textures, weather.frost_tables):
        cached.cache_clear()
    assert_same("frost", any_images(3, 61, 70), 3, "imagenet", "imagecorruptions")
    for cached in (textures.fitted_frost_textures, weather.frost_tables):
        cached.cache_clear()


def test_frost_on_images_that_are_too_large_says_so():
    images = torch.zeros((1, 64, 64, 3), dtype=torch.uint8)
    with pytest.raises(UsageError, match="104x62"):
        corrupt_tensor(images, "frost", 1, preset="cifar")


def test_frost_tables_do_not_depend_on_the_images():
    """One table a preset, however many sizes and severities there are."""
    weather.frost_tables.cache_clear()
    for severity, size in ((1, 16), (2, 20), (5, 32)):
        corrupt_tensor(torch.zeros((2, size, size, 3), dtype=torch.uint8), "frost", severity, preset="cifar")
    assert weather.frost_tables.cache_info().misses == 1


@pytest.mark.parametrize("style", ["hendrycks", "imagecorruptions"])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_layers_of_snow(severity, style):
    """On 256 levels, and not only where an image hides them."""
    c = constants("snow", severity, "imagenet", style)
    streams = Streams.for_images("1", 5, "snow", severity, range(3))
    wanted = snow_layer(draw_snow(streams, 29, 48, c), 29, 48, c)
    made = weather.snow_layer(TensorStreams.on(streams, CPU), 29, 48, c)
    np.testing.assert_array_equal(made.numpy(), wanted)
    assert 0.005 < (wanted > 0).mean() < 1


def test_luma():
    colours = np.random.default_rng(0).random((2, 9, 7, 3)).astype(np.float32)
    np.testing.assert_array_equal(weather.luma(torch.from_numpy(colours)).numpy(), luma(colours))


def test_fog_takes_each_image_s_own_brightest_level():
    images = np.stack([np.full((32, 32, 3), level, np.uint8) for level in (0, 100, 255)])
    wanted, made = both("fog", images, 5, "cifar")
    assert [int(one.max()) for one in made] == [0, 100, 255]
    np.testing.assert_array_equal(made, wanted)
