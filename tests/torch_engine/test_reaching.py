"""Which pixels hang together with a marked one: against SciPy's components, on shapes that make the way long."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import label

from lst_robust.torch_engine.reaching import doublings, reached


def components_with_a_mark(pixels: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """The same by SciPy, image by image."""
    wanted = []
    for image, marks in zip(pixels, marked, strict=True):
        numbers, _ = label(image, np.ones((3, 3)))
        wanted.append(image & np.isin(numbers, numbers[marks]))
    return np.stack(wanted)


def assert_reached(pixels: np.ndarray, marked: np.ndarray) -> None:
    made = reached(torch.from_numpy(pixels), torch.from_numpy(pixels & marked))
    np.testing.assert_array_equal(made.numpy(), components_with_a_mark(pixels, pixels & marked))


def spiral(height: int, width: int) -> np.ndarray:
    """One path from the corner to the middle, with a free path of the same width beside it."""
    image = np.zeros((height, width), bool)
    top, left, bottom, right = 0, 0, height - 1, width - 1
    image[0, 0] = True
    while top <= bottom and left <= right:
        image[top, max(left - 2, 0) : right + 1] = True
        image[top : bottom + 1, right] = True
        image[bottom, left : right + 1] = True
        image[top + 2 : bottom + 1, left] = True
        top, left, bottom, right = top + 2, left + 2, bottom - 2, right - 2
    return image


def snake(height: int, width: int) -> np.ndarray:
    """Rows that are joined at the right and the left end in turn."""
    image = np.zeros((height, width), bool)
    image[::2] = True
    image[1::4, -1] = True
    image[3::4, 0] = True
    return image


def comb(height: int, width: int) -> np.ndarray:
    """Columns that only the last row joins."""
    image = np.zeros((height, width), bool)
    image[:, ::2] = True
    image[-1] = True
    return image


def checkerboard(height: int, width: int) -> np.ndarray:
    return np.indices((height, width)).sum(0) % 2 == 0


SHAPES: list[Callable[[int, int], np.ndarray]] = [spiral, snake, comb, checkerboard]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(16, 16), (17, 23), (48, 33), (64, 64)])
def test_a_mark_at_either_end_of_a_long_way(shape, size):
    image = shape(*size)
    turned = np.stack([image, image[::-1], image[:, ::-1], image[::-1, ::-1], image, image])
    marked = np.zeros_like(turned)
    for n, which in enumerate((0, 0, -1, -1, -1, len(np.argwhere(image)) // 2)):
        marked[n][tuple(np.argwhere(turned[n])[which])] = True
    assert_reached(turned, marked)


def test_ways_are_as_long_as_they_look():
    """The drawn shapes are one component each, so that a mark at an end must go all the way."""
    for shape in SHAPES:
        assert label(shape(48, 33), np.ones((3, 3)))[1] == 1, shape.__name__


def test_a_large_image():
    images = np.stack([spiral(224, 224), snake(224, 224), snake(224, 224).T])
    marked = np.zeros_like(images)
    marked[0, 0, 0] = marked[1, -2, 5] = marked[2, 0, 0] = True
    assert_reached(images, marked)


@pytest.mark.parametrize("density", [0.2, 0.35, 0.4, 0.45, 0.6])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 2), (5, 16), (16, 17), (64, 64)])
def test_random_pixels(density, size):
    """Near a density of 0.41 clusters of eight neighbours span the image by the most winding ways."""
    random = np.random.default_rng(0)
    pixels = random.random((40, *size)) < density
    for marks in (0.5, 0.01, 3 / pixels[0].size):
        assert_reached(pixels, random.random(pixels.shape) < marks)


def test_every_image_of_3_by_5_pixels():
    """A mark at each image's first pixel."""
    bits = np.arange(1 << 15)[:, None] >> np.arange(15) & 1
    pixels = bits.astype(bool).reshape(-1, 3, 5)[1::7]
    marked = np.zeros_like(pixels)
    marked.reshape(len(pixels), -1)[np.arange(len(pixels)), pixels.reshape(len(pixels), -1).argmax(1)] = True
    assert_reached(pixels, marked)


def test_nothing_and_everything():
    full = np.ones((2, 20, 30), bool)
    for pixels in (full, ~full):
        for marked in (full, ~full):
            assert_reached(pixels, marked)


@pytest.mark.parametrize("steps", range(1, 70))
def test_doublings(steps):
    """2^doublings steps are enough, and half of them are not."""
    assert 2 ** doublings(steps) >= steps
    assert steps == 1 or 2 ** (doublings(steps) - 1) < steps
