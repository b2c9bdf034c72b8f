"""Snow, frost, fog and spatter: golden outputs, their draws, and sizes beyond the presets'."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions import corrupt, textures
from lst_robust.corruptions.registry import built_in, constants
from lst_robust.corruptions.splashes import splashes
from lst_robust.corruptions.streams import Streams
from lst_robust.corruptions.textures import frost_textures_for
from lst_robust.corruptions.weather import Fog, Frost, Snow, Spatter, fog_map_size, snow_layer
from lst_robust.errors import UsageError
from tests.corruptions.known_streams import HEIGHT, WIDTH, drawn, normal, uniform, words
from tests.corruptions.legacy_draws import legacy_draws


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("size", [32, 64, 224])
@pytest.mark.parametrize("name", ["frost", "fog"])
def test_golden(golden_differences, name, size, severity):
    assert golden_differences(name, size, severity, partial(legacy_draws, name)).max() == 0


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("size", [32, 64, 224])
@pytest.mark.parametrize("name", ["snow", "spatter"])
def test_golden_within_a_level(golden_differences, name, size, severity):
    """OpenCV's float32 colour arithmetic depends on the machine."""
    difference = golden_differences(name, size, severity, partial(legacy_draws, name))
    assert difference.max() <= 1
    assert difference.mean() <= 2e-4


@pytest.mark.parametrize("name", ["snow", "frost", "fog", "spatter"])
@pytest.mark.parametrize("style", ["hendrycks", "imagecorruptions"])
@pytest.mark.parametrize("severity", [1, 5])
def test_any_size(any_images, name, style, severity):
    images = any_images(2, 37, 61)
    before = images.copy()
    result = corrupt(images, name, severity, preset="imagenet", style=style)
    assert result.shape == images.shape
    assert (result != images).mean() > 0.01
    np.testing.assert_array_equal(images, before)


def test_snow_brightens_and_its_layers_differ_by_style():
    images = np.full((1, 48, 48, 3), 60, dtype=np.uint8)
    hendrycks = corrupt(images, "snow", 3, preset="imagenet")
    other = corrupt(images, "snow", 3, preset="imagenet", style="imagecorruptions")
    assert hendrycks.min() >= 60
    assert hendrycks.mean() > 90
    assert (hendrycks != other).any()


def test_snow_layer_is_blurred_where_the_style_says():
    """A flake at the very edge of the crop: blurred after the crop, the edge repeats it."""
    c = Snow(0, 1, 1, 0.5, 5, 2, 0.8)
    field = np.zeros((1, 16, 16))
    field[0, 0, 3] = 1
    draws = {"field": field, "angle": np.array([-90.0])}
    layer = snow_layer(draws, 16, 16, c)
    assert np.flatnonzero(layer.sum(axis=(0, 1))).tolist() == [3]
    assert layer[0, 0, 3] == 1  # all taps above the edge see the flake
    assert set(np.unique(layer * 255 % 1)) == {0.0}


def test_frost_needs_textures_larger_than_the_image(any_images):
    with pytest.raises(UsageError, match="104x62"):
        corrupt(any_images(1, 64, 64), "frost", 1, preset="cifar")
    assert corrupt(any_images(1, 62, 62), "frost", 1, preset="cifar").shape == (1, 62, 62, 3)
    large = corrupt(any_images(1, 700, 640), "frost", 1, preset="imagenet", style="imagecorruptions")
    assert large.shape == (1, 700, 640, 3)


def test_frost_draws_every_texture_and_stays_inside():
    c = constants("frost", 3, "cifar")
    draws = built_in()["frost"].draw(Streams.for_images("1", 0, "frost", 3, range(500)), 32, 32, c)
    assert set(draws["texture"]) == {0, 1, 2, 3, 4}
    shapes = np.array([t.shape[:2] for t in textures.frost_textures_for(c, 32, 32)])[draws["texture"]]
    assert (draws["top"] >= 0).all()
    assert (draws["left"] >= 0).all()
    assert (draws["top"] < shapes[:, 0] - 32).all()
    assert (draws["left"] < shapes[:, 1] - 32).all()


@pytest.mark.parametrize(
    ("height", "width", "map_size", "expected"),
    [(224, 224, 256, 256), (32, 32, 32, 32), (33, 20, 32, 64), (300, 257, 256, 512), (40, 64, None, 64)],
)
def test_fog_map_covers_the_image(height, width, map_size, expected):
    assert fog_map_size(height, width, Fog(1, 2, map_size)) == expected


def test_fog_keeps_the_image_s_own_maximum():
    images = np.stack([np.full((32, 32, 3), v, dtype=np.uint8) for v in (0, 100, 255)])
    result = corrupt(images, "fog", 5, preset="cifar")
    assert [int(r.max()) for r in result] == [0, 100, 255]


def test_spatter_without_a_drop_leaves_the_image():
    """The reference divides by the strongest drop, 0, and gives a black image."""
    assert splashes(np.zeros((32, 32), dtype=np.uint8)).max() == 0
    images = np.full((1, 32, 32, 3), 90, dtype=np.uint8)
    water = Spatter(0.65, 0.3, 1, 2.0, 0.5, False)
    np.testing.assert_array_equal(built_in()["spatter"].apply(images, {"field": np.zeros((1, 32, 32))}, water), images)


def test_spatter_is_water_then_mud():
    grey = np.full((1, 64, 64, 3), 128, dtype=np.uint8)
    water, mud = (corrupt(grey, "spatter", s, preset="imagenet")[0].astype(int) for s in (1, 5))
    assert (water >= 128).all()
    assert water.max() > 150
    assert (water[..., 1] >= water[..., 0]).all()  # turquoise
    assert (mud <= 128).all()
    assert mud.reshape(-1, 3).min(axis=0).tolist() == [63, 42, 20]  # pure mud somewhere


def test_snow_falls_from_above_through_the_middle_that_the_zoom_keeps():
    draws = drawn("snow", Snow(0.1, 0.3, 2, 0.5, 10, 4, 0.8))
    assert list(draws) == ["field", "angle"]
    np.testing.assert_array_equal(draws["field"], normal(0, HEIGHT // 2, WIDTH // 2))
    np.testing.assert_allclose(draws["angle"], -135 + 90 * uniform(1), rtol=1e-12)


def test_frost_is_any_crop_of_any_of_five_textures():
    c = Frost(1, 0.2, 0.2)
    draws = drawn("frost", c)
    texture = words(0).astype(np.int64) * 5 >> 32
    sizes = np.array([t.shape[:2] for t in frost_textures_for(c, HEIGHT, WIDTH)])[texture]
    assert list(draws) == ["texture", "top", "left"]
    np.testing.assert_array_equal(draws["texture"], texture)
    top, left = (uniform(1, 2) * (sizes - (HEIGHT, WIDTH))).astype(int).T
    np.testing.assert_array_equal(draws["top"], top)
    np.testing.assert_array_equal(draws["left"], left)
    assert draws["top"].dtype == draws["left"].dtype == np.int64


def test_fog_has_a_number_for_each_point_of_its_map_but_the_first():
    draws = drawn("fog", Fog(1, 2, 32))
    assert list(draws) == ["wibble"]
    np.testing.assert_array_equal(draws["wibble"], uniform(0, 64 * 64 - 1))


@pytest.mark.parametrize(
    ("height", "width", "map_size", "expected"),
    [(64, 16, None, 64), (65, 16, None, 128), (16, 16, 1, 16), (1, 1, None, 1)],
)
def test_the_map_of_fog_is_the_smallest_that_covers_the_longer_side(height, width, map_size, expected):
    assert fog_map_size(height, width, Fog(1, 2, map_size)) == expected


def test_spatter_has_a_normal_for_each_pixel():
    draws = drawn("spatter", Spatter(0.65, 0.3, 4, 0.69, 0.6, False))
    assert list(draws) == ["field"]
    np.testing.assert_array_equal(draws["field"], normal(0, HEIGHT, WIDTH))
