"""The digital corruptions and the two in HSV: golden outputs, and what the definition says about odd sizes."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions import corrupt
from lst_robust.corruptions.digital import Pixelate
from lst_robust.corruptions.elastic import elastic_affine, elastic_matrix
from lst_robust.corruptions.registry import built_in, constants


def no_legacy_draws(image, c):
    return {}


def legacy_elastic(image, c):
    height, width, reach = *image.shape[:2], c.affine * c.side
    return {  # in the order of the authors' scripts
        "affine": np.random.uniform(-reach, reach, size=(3, 2)),  # noqa: NPY002
        "dx": np.random.uniform(-1, 1, size=(height, width)),  # noqa: NPY002
        "dy": np.random.uniform(-1, 1, size=(height, width)),  # noqa: NPY002
    }


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("size", [32, 64, 224])
@pytest.mark.parametrize("name", ["brightness", "contrast", "saturate", "pixelate", "jpeg_compression"])
def test_golden(golden_differences, name, size, severity):
    assert golden_differences(name, size, severity, no_legacy_draws).max() == 0


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("size", [32, 64, 224])
def test_golden_elastic(golden_differences, size, severity):
    assert golden_differences("elastic_transform", size, severity, legacy_elastic).max() == 0


def test_contrast_takes_the_mean_of_each_image_and_channel():
    images = np.zeros((2, 16, 16, 3), dtype=np.uint8)
    images[0, :8], images[1] = 200, (10, 20, 30)
    result = corrupt(images, "contrast", 2, preset="cifar").astype(int)  # factor .5
    expected = np.zeros_like(result)
    expected[0, :8], expected[0, 8:], expected[1] = 150, 50, (10, 20, 30)
    assert abs(result - expected).max() <= 1  # the mean's rounding, then truncation


def test_saturate_turns_grey_reddish_only_with_a_shift():
    grey = np.full((1, 16, 16, 3), 100, dtype=np.uint8)
    np.testing.assert_array_equal(corrupt(grey, "saturate", 1, preset="imagenet"), grey)
    assert corrupt(grey, "saturate", 5, preset="imagenet")[0, 0, 0].tolist() == [100, 80, 80]


@pytest.mark.parametrize(
    ("upsample", "filter_"), [("box", Image.Resampling.BOX), ("nearest", Image.Resampling.NEAREST)]
)
def test_pixelate_keeps_odd_sizes(any_images, upsample, filter_):
    images = any_images(2, 33, 47)
    result = built_in()["pixelate"].apply(images, {}, Pixelate(0.3, upsample))
    small = Image.fromarray(images[1]).resize((14, 9), Image.Resampling.BOX)
    np.testing.assert_array_equal(result[1], np.asarray(small.resize((47, 33), filter_)))


def test_styles_differ_in_elastic_transform(any_images):
    images = any_images(1, 64, 64)
    hendrycks = corrupt(images, "elastic_transform", 3, preset="imagenet")
    other = corrupt(images, "elastic_transform", 3, preset="imagenet", style="imagecorruptions")
    assert (hendrycks != other).mean() > 0.1


def test_elastic_without_displacement_is_the_affine_alone():
    """cifar severity 1 has alpha 0; with no corner offset either the image stays as it is."""
    c = constants("elastic_transform", 1, "cifar")
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    field = np.ones((1, 32, 32))
    draws = {"affine": np.zeros((1, 3, 2)), "dx": field, "dy": field}
    assert abs(built_in()["elastic_transform"].apply(image, draws, c).astype(int) - image).max() <= 1


def test_the_affine_moves_the_three_corners_as_asked():
    offsets = np.random.default_rng(0).uniform(-5, 5, (4, 3, 2))
    backwards = elastic_matrix(40, 60, offsets).astype(np.float64)
    corners = np.array([(33, 43), (33, 17), (7, 17)])  # (row, column) around (20, 30), 13 away, as (x, y)
    moved = np.concatenate([corners + offsets, np.ones((4, 3, 1))], axis=2)
    np.testing.assert_allclose(np.einsum("nij,nkj->nki", backwards, moved), np.stack([corners] * 4), atol=1e-4)


def test_the_affine_by_whole_pixels_mirrors_without_repeating_the_edge(any_images):
    image = any_images(1, 20, 24).astype(np.float32)
    matrix = np.array([[[1, 0, -3], [0, 1, 2]]], dtype=np.float32)  # from x - 3, y + 2
    expected = np.pad(image[0], ((0, 2), (3, 0), (0, 0)), mode="reflect")[2:, :24]
    np.testing.assert_array_equal(elastic_affine(image, matrix)[0], expected)


@pytest.mark.parametrize("quality_severity", SEVERITIES)
@pytest.mark.parametrize("preset", ["imagenet", "cifar"])
def test_jpeg_is_pillow_s(any_images, preset, quality_severity):
    images = any_images(3, 45, 61)
    images[2] = np.random.default_rng(1).integers(0, 256, images[2].shape)
    ours = corrupt(images, "jpeg_compression", quality_severity, preset=preset)
    for image, result in zip(images, ours, strict=True):
        file = BytesIO()
        Image.fromarray(image).save(
            file, "JPEG", quality=constants("jpeg_compression", quality_severity, preset).quality
        )
        np.testing.assert_array_equal(result, np.asarray(Image.open(file)))
