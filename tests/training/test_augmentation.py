"""Augmentation: what may come out, how it spreads, and that shares of a batch get the batch's draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from lst_robust.data import open_source
from lst_robust.data.source import cached
from lst_robust.errors import DataError
from lst_robust.suites.recipe import Augmentation
from lst_robust.training.augmentation import Draws, augment, random_box, random_parts

BOTH = Augmentation(crop_padding=2, flip=True)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_crops_are_windows_of_the_padded_image_and_differ_between_images():
    images = torch.arange(1, 65, dtype=torch.uint8).reshape(1, 1, 8, 8).expand(50, 3, 8, 8).contiguous()
    padded = np.pad(images[0, 0].numpy(), 2)
    windows = {padded[i : i + 8, j : j + 8].tobytes() for i in range(5) for j in range(5)}
    cropped = augment(images, Draws.of(50, Augmentation(crop_padding=2), seeded()), 2)
    found = {image[0].numpy().tobytes() for image in cropped}
    assert found <= windows
    assert len(found) > 10
    assert all(torch.equal(image[0], image[2]) for image in cropped)


def test_about_half_of_the_images_are_flipped():
    images = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 2, 2).expand(400, 3, 2, 2)
    flipped = augment(images, Draws.of(400, Augmentation(flip=True), seeded()), 0)
    is_flipped = (flipped == images.flip(3)).flatten(1).all(1)
    is_same = (flipped == images).flatten(1).all(1)
    assert torch.all(is_flipped ^ is_same)
    assert 150 < int(is_flipped.sum()) < 250


def test_no_augmentation_changes_nothing():
    images = torch.randint(0, 255, (4, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(augment(images, Draws.of(4, Augmentation(), seeded()), 0), images)


@pytest.mark.parametrize("world", [2, 3])
def test_a_share_of_a_batch_is_augmented_as_in_the_whole(world):
    images = torch.randint(0, 255, (7, 3, 8, 8), dtype=torch.uint8)
    whole = augment(images, Draws.of(7, BOTH, seeded()), 2)
    for rank in range(world):
        draws = Draws.of(7, BOTH, seeded()).share(rank, world)
        assert torch.equal(augment(images[rank::world], draws, 2), whole[rank::world])


def test_random_boxes_lie_inside_and_have_the_areas_and_ratios_they_should():
    rng = np.random.default_rng(0)
    boxes = np.array([random_box(120, 160, 0.25, rng) for _ in range(2000)])
    top, left, height, width = boxes.T
    assert (boxes >= 0).all() and (top + height <= 120).all() and (left + width <= 160).all()
    share, ratio = height * width / (120 * 160), width / height
    assert 0.24 < share.min() < 0.28 and share.max() > 0.9
    assert 0.74 < ratio.min() < 0.8 and 1.25 < ratio.max() < 1.35
    assert abs(np.log(ratio).mean()) < 0.05, "wide as often as high"


@pytest.mark.parametrize("height, width, box", [(10, 100, (0, 43, 10, 13)), (100, 12, (42, 0, 16, 12))])
def test_long_and_thin_images_are_cut_in_the_centre(height, width, box):
    assert random_box(height, width, 0.9, np.random.default_rng(0)) == box


@pytest.fixture
def folder(tmp_path, photographs):
    """Two classes of one photograph of 64 x 48 each."""
    for i, name in enumerate(("cat", "dog")):
        (tmp_path / "train" / name).mkdir(parents=True)
        Image.fromarray(photographs[i, :48]).save(tmp_path / "train" / name / "0.png")
    return tmp_path


def opened(folder):
    return open_source({"kind": "image_folder"}, "train", image_size=32, data_dir=folder)


def test_random_parts_come_from_the_whole_image_and_depend_on_seed_epoch_and_image_only(folder):
    source = opened(folder)
    assert source.whole(0).shape == (48, 64, 3), "not the square that read gives"
    parts = random_parts(source, [0, 1, 0], 0.1, seed=3, epoch=5)
    assert parts.shape == (3, 32, 32, 3) and parts.dtype == np.uint8
    assert np.array_equal(parts[0], parts[2])
    assert not np.array_equal(random_parts(source, [0], 0.1, seed=3, epoch=6)[0], parts[0])
    assert not np.array_equal(random_parts(source, [0], 0.1, seed=4, epoch=5)[0], parts[0])


def test_views_of_a_source_know_the_whole_images(folder):
    source = opened(folder)
    assert np.array_equal(source.select([1]).whole(0), source.whole(1))
    digits = cached(open_source({"kind": "digits"}, "train", image_size=32))
    assert np.array_equal(digits.whole(4), digits.read([4])[0])


def test_a_damaged_image_is_named(folder):
    (folder / "train" / "dog" / "0.png").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"dog/0\.png"):
        random_parts(opened(folder), [1], 0.5, 0, 0)
