"""The random numbers of each corruption, written out a second time from the words of the image's streams.

The compiled kernels draw for themselves; that they draw the same is tested in test_kernels.py.
"""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.corruptions.base import no_draws
from lst_robust.corruptions.blur import GlassBlur, MotionBlur
from lst_robust.corruptions.elastic import Elastic
from lst_robust.corruptions.noise import Noise, impulse_threshold
from lst_robust.corruptions.registry import built_in
from lst_robust.corruptions.streams import Streams
from lst_robust.corruptions.textures import frost_textures_for
from lst_robust.corruptions.weather import Fog, Frost, Snow, Spatter, fog_map_size

HEIGHT, WIDTH = 32, 40
STREAMS = Streams.for_images("1", 7, "any", 3, ["a", "b"])


def drawn(name: str, c: object) -> dict[str, np.ndarray]:
    return dict(built_in()[name].draw(STREAMS, HEIGHT, WIDTH, c))


def words(stream: int, *shape: int) -> np.ndarray:
    return STREAMS.words(stream, int(np.prod(shape))).reshape(2, *shape)


def uniform(stream: int, *shape: int) -> np.ndarray:
    """In (0, 1): the middle of the interval that a word stands for."""
    return (words(stream, *shape) + 0.5) / 2**32


def normal(stream: int, *shape: int) -> np.ndarray:
    return STREAMS.normal(stream, int(np.prod(shape))).reshape(2, *shape)


@pytest.mark.parametrize("name", ["gaussian_noise", "speckle_noise"])
def test_noise_has_a_normal_of_its_own_for_each_value(name):
    draws = drawn(name, Noise(0.1))
    assert list(draws) == ["normal"]
    np.testing.assert_array_equal(draws["normal"], normal(0, HEIGHT, WIDTH, 3))


def test_shot_noise_has_a_word_for_each_value():
    draws = drawn("shot_noise", Noise(60))
    assert list(draws) == ["word"]
    assert draws["word"].dtype == np.uint32
    np.testing.assert_array_equal(draws["word"], words(0, HEIGHT, WIDTH, 3))


def test_impulse_noise_hits_with_its_probability_and_odd_words_are_salt():
    draws = drawn("impulse_noise", Noise(0.25))
    word = words(0, HEIGHT, WIDTH, 3)
    assert sorted(draws) == ["pepper", "salt"]
    np.testing.assert_array_equal(draws["salt"], (word < 2**30) & (word % 2 == 1))
    np.testing.assert_array_equal(draws["pepper"], (word < 2**30) & (word % 2 == 0))


def test_a_word_at_the_threshold_of_impulse_noise_is_no_hit():
    class Fixed(Streams):
        def words(self, stream: int, count: int) -> np.ndarray:
            first = np.array([2**30 - 2, 2**30 - 1, 2**30, 2**30 + 1], np.uint32)
            return np.resize(first, (len(self), count))

    draws = built_in()["impulse_noise"].draw(Fixed(STREAMS.keys), 2, 2, Noise(0.25))
    assert draws["pepper"].ravel()[:4].tolist() == [True, False, False, False]
    assert draws["salt"].ravel()[:4].tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("amount", "threshold"), [(0.0, 0), (2**-32, 0), (2**-31, 2), (0.03, 128849018), (0.25, 2**30), (0.5, 2**31)]
)
def test_the_threshold_of_impulse_noise_is_the_nearest_even_word(amount, threshold):
    assert impulse_threshold(amount) == threshold
    assert impulse_threshold(amount).dtype == np.uint32


def test_glass_blur_takes_both_offsets_from_one_word():
    draws = drawn("glass_blur", GlassBlur(0.7, 2, 3))
    place = words(0, 3, HEIGHT - 4, WIDTH - 4).astype(np.int64) * 16 >> 32  # one of 4 x 4 neighbours
    assert list(draws) == ["offsets"]
    np.testing.assert_array_equal(draws["offsets"], np.stack([place % 4 - 2, place // 4 - 2], axis=-1))


def test_motion_blur_has_an_angle_within_45_degrees():
    draws = drawn("motion_blur", MotionBlur(10, 3))
    assert list(draws) == ["angle"]
    np.testing.assert_allclose(draws["angle"], -45 + 90 * uniform(0), rtol=1e-12)


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


def test_elastic_of_the_scripts_moves_three_corners_and_has_fields_within_1():
    draws = drawn("elastic_transform", Elastic(2, 0.7, 0.1, 244))
    assert sorted(draws) == ["affine", "dx", "dy"]
    np.testing.assert_allclose(draws["dx"], 2 * uniform(0, HEIGHT, WIDTH) - 1, rtol=1e-9)
    np.testing.assert_allclose(draws["dy"], 2 * uniform(1, HEIGHT, WIDTH) - 1, rtol=1e-9)
    np.testing.assert_allclose(draws["affine"], 24.4 * (2 * uniform(2, 3, 2) - 1), rtol=1e-9)


def test_elastic_of_imagecorruptions_has_fields_within_a_200th_of_the_height_and_no_affine():
    draws = drawn("elastic_transform", Elastic(12.5, 0.01, 0, None))
    assert sorted(draws) == ["dx", "dy"]
    np.testing.assert_allclose(draws["dx"], 0.16 * (2 * uniform(0, HEIGHT, WIDTH) - 1), rtol=1e-9)
    np.testing.assert_allclose(draws["dy"], 0.16 * (2 * uniform(1, HEIGHT, WIDTH) - 1), rtol=1e-9)


def test_the_others_draw_nothing():
    names = {name for name, corruption in built_in().items() if corruption.draw is no_draws}
    assert names == {
        "gaussian_blur",
        "defocus_blur",
        "zoom_blur",
        "brightness",
        "contrast",
        "saturate",
        "pixelate",
        "jpeg_compression",
    }
    assert drawn("contrast", None) == {}
