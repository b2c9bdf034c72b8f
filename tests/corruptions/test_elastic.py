"""elastic_transform: golden outputs, its draws, and the affine warp."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions import corrupt
from lst_robust.corruptions.elastic import Elastic, elastic_affine, elastic_matrix
from lst_robust.corruptions.registry import built_in, constants
from tests.corruptions.known_streams import HEIGHT, WIDTH, drawn, uniform


def legacy_elastic(image, c):
    height, width, reach = *image.shape[:2], c.affine * c.side
    return {  # in the order of the authors' scripts
        "affine": np.random.uniform(-reach, reach, size=(3, 2)),  # noqa: NPY002
        "dx": np.random.uniform(-1, 1, size=(height, width)),  # noqa: NPY002
        "dy": np.random.uniform(-1, 1, size=(height, width)),  # noqa: NPY002
    }


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("size", [32, 64, 224])
def test_golden_elastic(golden_differences, size, severity):
    assert golden_differences("elastic_transform", size, severity, legacy_elastic).max() == 0


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
