"""The blurs: golden outputs, their draws, and the definitions followed step by step."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import pytest
from scipy import ndimage

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions.blur import GlassBlur, MotionBlur
from lst_robust.corruptions.filters import (
    correlate_disk,
    disk,
    round_16_bit,
)
from lst_robust.corruptions.presets import PRESETS
from lst_robust.corruptions.registry import built_in, constants
from lst_robust.corruptions.streams import Streams
from tests.corruptions.known_streams import HEIGHT, WIDTH, drawn, uniform, words
from tests.corruptions.legacy_draws import legacy_draws

EXACT = ["gaussian_blur", "glass_blur", "motion_blur", "zoom_blur"]


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("size", [32, 64, 224])
@pytest.mark.parametrize("name", EXACT)
def test_golden(golden_differences, name, size, severity):
    assert golden_differences(name, size, severity, partial(legacy_draws, name)).max() == 0


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("size", [32, 64, 224])
def test_golden_defocus(golden_differences, size, severity):
    """OpenCV filters with large kernels through a Fourier transform, so a level may tip over."""
    difference = golden_differences("defocus_blur", size, severity, partial(legacy_draws, "defocus_blur"))
    assert difference.max() <= 1
    assert difference.mean() <= 2e-4


def reference_disk(radius, alias_sigma):
    """The float32 weights of ImageNet-C, written out."""
    reach, taps = (8, 3) if radius <= 8 else (int(radius), 5)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    inside = (y**2 + x**2 <= radius**2).astype(np.float32)
    return cv2.GaussianBlur(inside / inside.sum(), (taps, taps), alias_sigma)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_defocus_is_the_float32_disk(any_images, preset, severity):
    c = constants("defocus_blur", severity, preset)
    weights, kernel = reference_disk(c.radius, c.alias_sigma).astype(np.float64), disk(c.radius, c.alias_sigma)
    images = any_images(2, 24, 40)
    for image, result in zip(images, correlate_disk(images, kernel), strict=True):
        np.testing.assert_allclose(result, cv2.filter2D(image.astype(np.float64), -1, weights), atol=3e-4)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_defocus_keeps_flat_areas_as_the_float32_weights_do(preset, severity):
    """The sum of the weights is not quite 1: below it every flat area loses a level."""
    c = constants("defocus_blur", severity, preset)
    flat = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None, None], (256, 16, 16, 3))
    total = reference_disk(c.radius, c.alias_sigma).astype(np.float64).sum()
    expected = np.minimum(np.arange(256) * total, 255).astype(np.uint8)
    result = built_in()["defocus_blur"].apply(flat, {}, c)
    np.testing.assert_array_equal(result, np.broadcast_to(expected[:, None, None, None], flat.shape))


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 30), (21, 16)])
@pytest.mark.parametrize("c", [GlassBlur(0.05, 1, 1), GlassBlur(0.7, 2, 3), GlassBlur(1.1, 3, 2), GlassBlur(0.4, 4, 2)])
def test_glass_blur_is_the_sequential_scan(any_images, height, width, c):
    """The definition followed pixel by pixel, with OpenCV-free smoothing."""
    images, d = any_images(2, height, width), c.max_delta
    draws = built_in()["glass_blur"].draw(Streams.for_images("1", 0, "glass_blur", 1, [5, 6]), height, width, c)
    assert draws["offsets"].min() >= -d
    assert draws["offsets"].max() < d

    def smooth(x):
        return ndimage.gaussian_filter(x / 255.0, (c.sigma, c.sigma, 0), mode="nearest")

    for image, offsets, result in zip(
        images, draws["offsets"], built_in()["glass_blur"].apply(images, draws, c), strict=True
    ):
        x = (smooth(image) * 255).astype(np.uint8)
        for scan in offsets:
            for i, y in enumerate(range(height - d, d, -1)):
                for j, z in enumerate(range(width - d, d, -1)):
                    dx, dy = scan[i, j]
                    x[y, z] = x[y + dy, z + dx]
        np.testing.assert_array_equal(result, (np.clip(smooth(x), 0, 1) * 255).astype(np.uint8))


def test_glass_offsets_are_uniform():
    c = GlassBlur(1, 3, 1)
    draws = built_in()["glass_blur"].draw(Streams.for_images("1", 0, "glass_blur", 1, range(8)), 66, 66, c)
    counts = np.unique(draws["offsets"].reshape(-1, 2), axis=0, return_counts=True)[1]
    assert counts.size == 36
    chi2 = ((counts - counts.mean()) ** 2 / counts.mean()).sum() / 35
    assert chi2 < 2


def test_the_two_roundings_of_motion_blur():
    assert round_16_bit(np.array([9.9, 9.999, 10.0 - 1e-12, 255.0])).tolist() == [9, 10, 10, 255]
    images = np.full((1, 32, 32, 3), 77, dtype=np.uint8)
    draws = {"angle": np.array([13.0])}
    apply = built_in()["motion_blur"].apply
    assert (apply(images, draws, MotionBlur(6, 2, "16-bit")) == 77).all()
    assert abs(apply(images, draws, MotionBlur(6, 2, "truncate")).astype(int) - 77).max() <= 1


def test_glass_blur_takes_both_offsets_from_one_word():
    draws = drawn("glass_blur", GlassBlur(0.7, 2, 3))
    place = words(0, 3, HEIGHT - 4, WIDTH - 4).astype(np.int64) * 16 >> 32  # one of 4 x 4 neighbours
    assert list(draws) == ["offsets"]
    np.testing.assert_array_equal(draws["offsets"], np.stack([place % 4 - 2, place // 4 - 2], axis=-1))


def test_motion_blur_has_an_angle_within_45_degrees():
    draws = drawn("motion_blur", MotionBlur(10, 3))
    assert list(draws) == ["angle"]
    np.testing.assert_allclose(draws["angle"], -45 + 90 * uniform(0), rtol=1e-12)
