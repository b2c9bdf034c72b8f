"""The four noises of the torch engine: the plain definition's bytes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions import constants
from lst_robust.corruptions.noise import WORD, Noise, impulse_threshold, poisson_levels, poisson_thresholds
from lst_robust.corruptions.presets import PRESETS
from lst_robust.torch_engine.noise import impulse_noise, shot_noise, shot_table
from tests.torch_engine.same_bytes import SHAPES, assert_same

NOISES = ["gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"]


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", NOISES)
def test_of_every_preset_and_severity(any_images, name, preset, severity):
    assert_same(name, any_images(*SHAPES[preset], seed=severity), severity, preset)


@pytest.mark.parametrize("name", NOISES)
def test_of_pure_noise_extremes_and_one_large_image(any_images, name):
    images = np.random.default_rng(0).integers(0, 256, (4, 23, 17, 3), dtype=np.uint8)
    images[2], images[3] = 0, 255
    for severity in (1, 5):
        assert_same(name, images, severity, "imagenet")
    assert_same(name, any_images(1, 224, 224), 3, "imagenet")


@pytest.mark.parametrize("name", NOISES)
def test_of_flat_images_of_each_level(name):
    images = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None, None], (256, 16, 16, 3)).copy()
    for preset, severity in (("cifar", 1), ("imagenet", 5)):
        assert_same(name, images, severity, preset)


class Words:
    """Streams of given words, uint32 (N, H, W, 3)."""

    def __init__(self, words: np.ndarray) -> None:
        self.centred = torch.from_numpy((words.astype(np.int64) - WORD // 2).astype(np.int32))

    def centred_words(self, stream: int, shape: tuple[int, ...]) -> torch.Tensor:
        assert stream == 0 and shape == self.centred.shape[1:]
        return self.centred


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("preset", PRESETS)
def test_shot_noise_at_each_threshold(preset, severity):
    """The words at and on both sides of every threshold of every pixel value, which a random word never meets."""
    c: Noise = constants("shot_noise", severity, preset)
    thresholds = poisson_thresholds(c.amount).astype(np.int64)[::17]
    words = np.stack([thresholds - 1, thresholds, thresholds + 1], axis=-1).clip(0, WORD - 1)
    images = np.broadcast_to(np.arange(0, 256, 17, dtype=np.uint8)[:, None, None], words.shape).copy()
    counts = (words[..., None] >= thresholds[:, None, None, :]).sum(axis=-1)
    wanted = poisson_levels(c.amount, thresholds.shape[1])[counts]
    made = shot_noise(torch.from_numpy(images[None]), Words(words[None]), c)
    np.testing.assert_array_equal(made[0].numpy(), wanted)


def test_counts_with_one_level_share_a_key():
    keys, levels = shot_table(500, torch.device("cpu"))
    assert len(keys) == len(levels) and len(keys) <= 256 * 256 < poisson_thresholds(500).size
    assert (keys.diff() >= 0).all()


def test_impulse_noise_at_its_threshold():
    c = constants("impulse_noise", 3, "imagenet")
    threshold = int(impulse_threshold(c.amount))
    words = np.array([0, 1, threshold - 2, threshold - 1, threshold, threshold + 1, 2**31, WORD - 1]).reshape(
        1, 1, 8, 1
    )
    images = torch.full((1, 1, 8, 1), 7, dtype=torch.uint8)
    assert impulse_noise(images, Words(words), c).flatten().tolist() == [0, 255, 0, 255, 7, 7, 7, 7]
