"""The drops of water of the torch engine, step by step against OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from lst_robust.corruptions import splashes as plain
from lst_robust.torch_engine import splashes as module
from lst_robust.torch_engine.splashes import (
    REACH,
    UNIT,
    box_sums,
    distance_tables,
    edge_distances,
    embossed,
    equalised,
    mean_levels,
    splashes,
)
from tests.torch_engine.liquids import FIELDS, SIZES, hard_images, smooth_fields


def assert_same_drops(images: np.ndarray) -> None:
    made = splashes(torch.from_numpy(images)).numpy()
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made, np.stack([plain.splashes(image) for image in images]))


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("size", SIZES)
def test_of_smooth_fields(size, field):
    assert_same_drops(smooth_fields(size, *field))


@pytest.mark.parametrize("size", SIZES)
def test_of_hard_images(size):
    assert_same_drops(hard_images(size))


def test_of_large_images():
    assert_same_drops(np.concatenate([hard_images((224, 224))[[0, 2, 4, 6]], smooth_fields((224, 224), *FIELDS[0])]))


@pytest.mark.parametrize("share", [0, 0.0005, 0.003, 0.02, 0.2, 1])
@pytest.mark.parametrize("size", [*SIZES, (16, 130), (130, 16)])
def test_distances_and_their_means(size, share):
    edges = np.random.default_rng(2).random((6, *size)) < share
    wanted = np.stack([cv2.distanceTransform(np.where(e, 0, 255).astype(np.uint8), cv2.DIST_L2, 5) for e in edges])
    wanted = np.minimum(wanted, REACH)
    distances = edge_distances(torch.from_numpy(edges))
    np.testing.assert_array_equal(distances.numpy() * UNIT, wanted)
    assert_same_means(wanted)


def assert_same_means(distances: np.ndarray) -> None:
    made = mean_levels(torch.from_numpy((distances / UNIT).astype(np.int32)))
    np.testing.assert_array_equal(made.numpy(), np.stack([cv2.blur(one, (3, 3)).astype(np.uint8) for one in distances]))


def test_means_next_to_a_whole_number():
    """Some are rounded up to it, because float32 has no number between."""
    random = np.random.default_rng(5)
    whole = np.repeat(np.arange(2, REACH + 1, dtype=np.float32), 50)[:, None, None]
    ulps = random.integers(0, 2, (len(whole), 16, 16)) * (random.random((len(whole), 1, 1)) < 0.7)
    distances = np.where(ulps > 0, np.nextafter(whole, np.float32(0)), whole)
    means = np.stack([cv2.blur(one, (3, 3)) for one in distances])
    exact = np.stack([cv2.blur(one.astype(np.float64), (3, 3)) for one in distances])
    assert ((means == whole) & (exact < whole)).any() and (means < whole).any()
    assert_same_means(distances)


@pytest.fixture
def without_ipp(monkeypatch):
    """OpenCV as it is where Intel's library is not built in: distances are sums in fixed point there."""
    if not cv2.ipp.useIPP():
        pytest.skip("this OpenCV has no IPP, so that the other tests cover it")
    distance_tables.cache_clear()
    cv2.ipp.setUseIPP(False)
    yield
    cv2.ipp.setUseIPP(True)
    distance_tables.cache_clear()


def test_distances_where_opencv_has_no_ipp(without_ipp):
    test_distances_and_their_means((48, 33), 0.003)
    assert_same_drops(smooth_fields((48, 33), *FIELDS[0]))


def test_the_ranks_of_distances_fit_into_a_byte():
    ranks, distances = distance_tables(torch.device("cpu"))
    assert len(ranks) == 2 * REACH + 1 and {len(row) for row in ranks} == {(REACH + 1) ** 2}
    assert len(distances) <= 256
    assert (distances[1:] > distances[:-1]).all()
    assert distances[0] == 0 and distances[-1] * UNIT == REACH


@pytest.mark.parametrize("most", [1, 4, REACH])
@pytest.mark.parametrize("size", SIZES)
def test_histograms(size, most):
    random = np.random.default_rng(3)
    levels = random.integers(0, most + 1, (6, *size), dtype=np.uint8)
    levels[1] = np.maximum(levels[1], 1)
    levels[2], levels[3] = 0, most
    levels[4] = random.random(size) < 0.01
    made = equalised(torch.from_numpy(levels).int()).numpy()
    np.testing.assert_array_equal(made, np.stack([cv2.equalizeHist(one) for one in levels]))


@pytest.mark.parametrize("size", [*SIZES, (31, 77)])
def test_the_relief(size):
    """The emboss filter, and the rounded means of 3x3 pixels."""
    random = np.random.default_rng(4)
    levels = random.integers(0, 256, (6, *size), dtype=np.uint8)
    levels[1] = 255 * (random.random(size) < 0.9)
    wanted = [cv2.filter2D(one, cv2.CV_8U, plain.EMBOSS) for one in levels]
    relief = embossed(torch.from_numpy(levels).int())
    np.testing.assert_array_equal(relief.numpy(), np.stack(wanted))
    means = box_sums(relief).add_(4).div_(9, rounding_mode="floor")
    np.testing.assert_array_equal(means.numpy(), np.stack([cv2.blur(one, (3, 3)) for one in wanted]))


def test_where_no_drop_is_strong_enough_there_is_none():
    images = np.zeros((2, 32, 32), np.uint8)
    images[1, 4:12, 4:12] = 180
    made = module.splashes(torch.from_numpy(images))
    assert not made[0].any() and made[1].max() == 1
