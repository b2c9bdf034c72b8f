"""The five blurs of the torch engine: the plain definition's bytes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions.presets import PRESETS
from lst_robust.torch_engine.blur import longest_chain, origins
from lst_robust.torch_engine.filters import pixels_at
from tests.torch_engine.same_bytes import SHAPES, assert_same

BLURS = ["gaussian_blur", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur"]


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", BLURS)
def test_of_every_preset_and_severity(any_images, name, preset, severity):
    assert_same(name, any_images(*SHAPES[preset], seed=severity), severity, preset)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_motion_of_the_other_style(any_images, severity):
    """Sides of 16 pixels: the sum of the taps ends where one reaches the side."""
    for shape in ((3, 16, 40), (3, 40, 16)):
        assert_same("motion_blur", any_images(*shape), severity, "imagenet", "imagecorruptions")


@pytest.mark.parametrize("name", BLURS)
def test_of_noise_and_of_one_large_image(any_images, name):
    noise = np.random.default_rng(0).integers(0, 256, (3, 23, 17, 3), dtype=np.uint8)
    for severity in (2, 4):
        assert_same(name, noise, severity, "imagenet")
    assert_same(name, any_images(1, 224, 224), 5, "imagenet")


@pytest.mark.parametrize("name", BLURS)
def test_of_flat_images_of_each_level(name):
    """A flat area keeps or loses a level with the last bit of a sum."""
    images = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None, None], (256, 16, 16, 3)).copy()
    for preset, severity in (("cifar", 3), ("imagenet", 1)):
        assert_same(name, images, severity, preset)


def scanned(image: np.ndarray, steps: np.ndarray, d: int) -> np.ndarray:
    """glass_blur's scan, pixel by pixel. image (H, W); steps (H - 2d, W - 2d) in pixels of the flat image."""
    height, width = image.shape
    flat = image.reshape(-1).copy()
    for y in range(height - d, d, -1):
        for x in range(width - d, d, -1):
            flat[y * width + x] = flat[y * width + x + steps[y - d - 1, x - d - 1]]
    return flat.reshape(height, width)


def chains(height: int, width: int, d: int) -> np.ndarray:
    """Steps that make one chain as long as can be: right to the end of a row, then down and to the left."""
    steps = np.ones((height - 2 * d, width - 2 * d), np.int32)
    steps[:, -1] = width - d
    return steps


@pytest.mark.parametrize("size", [(16, 16), (16, 45), (41, 17)])
@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_origins_are_those_of_the_scan(size, d):
    height, width = size
    random = np.random.default_rng(d)
    image = np.arange(height * width).reshape(size)
    offsets = random.integers(-d, d, (2, 4, height - 2 * d, width - 2 * d))
    steps = list((offsets[0] * width + offsets[1]).astype(np.int32))
    if d > 1:
        steps.append(chains(height, width, d))
    batch = torch.from_numpy(np.stack([image] * len(steps)))
    made = pixels_at(batch, origins(torch.from_numpy(np.stack(steps)), len(steps), height, width, d))
    for result, step in zip(made.numpy(), steps, strict=True):
        np.testing.assert_array_equal(result, scanned(image, step, d))


def links(steps: np.ndarray, height: int, width: int, d: int) -> int:
    """The length of the longest chain."""
    count = np.zeros(height * width, int)
    for y in range(height - d, d, -1):
        for x in range(width - d, d, -1):
            step = steps[y - d - 1, x - d - 1]
            if step > 0:
                count[y * width + x] = 1 + count[y * width + x + step]
    return int(count.max())


@pytest.mark.parametrize("d", [2, 3, 4])
def test_no_chain_is_longer_than_the_bound(d):
    longest = links(chains(33, 40, d), 33, 40, d)
    assert 0.9 * longest_chain(33, 40, d) <= longest <= longest_chain(33, 40, d)
