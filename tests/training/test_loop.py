"""Training: the same weights for the same seed, interrupted or not; a loss that is no number stops it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lst_robust.data import ImageSource, open_source
from lst_robust.errors import CheckpointError, DataError, NonFiniteError
from lst_robust.progress import Silent
from lst_robust.suites import Augmentation, PixelStatistics, Recipe
from lst_robust.training.augmentation import augment, random_crop, random_flip
from lst_robust.training.loop import Plan, fit

PIXELS = PixelStatistics(mean=(0.3,) * 3, std=(0.3,) * 3)
RECIPE = Recipe(
    epochs=3,
    batch_size=16,
    optimizer="adamw",
    lr=0.01,
    weight_decay=0.01,
    augmentation=Augmentation(crop_padding=2, flip=True),
)


@pytest.fixture(scope="module")
def source() -> ImageSource:
    return open_source({"kind": "digits"}, "train", image_size=16).subset(70)


def network() -> nn.Module:
    """Small, with batch norm (running statistics) and dropout (random state), which a resume must restore."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(8 * 49, 10)
    )


class Stopped(Exception):
    pass


class StopsInEpoch(Silent):
    """An observer that pulls the plug in the middle of an epoch."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.left = step

    def advance(self, steps: float = 1, status: str = "") -> None:
        self.left -= 1
        if self.left == 0:
            raise Stopped


def train(model: nn.Module, source: ImageSource, folder: Path, recipe=RECIPE, observer=None, workers=1) -> str:
    return fit(
        model,
        source,
        recipe,
        PIXELS,
        device=torch.device("cpu"),
        workers=workers,
        resume_file=folder / "training.resume",
        observer=observer or Silent(),
        title="training",
    )


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("schedule", [{"schedule": "one_cycle"}, {"schedule": "multistep", "milestones": (1, 2)}])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_interrupted_and_resumed_it_ends_with_the_same_bits(source, tmp_path, schedule, optimizer):
    recipe = RECIPE.changed(schedule | {"optimizer": optimizer})
    whole, resumed = network(), network()
    train(whole, source, tmp_path / "whole", recipe)
    with pytest.raises(Stopped):
        train(resumed, source, tmp_path / "resumed", recipe, StopsInEpoch(step=6))  # 4 steps an epoch
    fresh = network()
    nn.init.zeros_(fresh[0].weight)  # what it starts with must not matter
    log = train(fresh, source, tmp_path / "resumed", recipe)
    assert same(whole, fresh)
    assert [line.split(",")[0] for line in log.splitlines()] == ["epoch", "1", "2", "3"]


def test_it_learns_and_depends_on_the_seed_only(source, tmp_path):
    one, again, other = network(), network(), network()
    recipe = RECIPE.changed({"epochs": 12})
    log = train(one, source, tmp_path / "1", recipe)
    train(again, source, tmp_path / "2", recipe, workers=3)
    train(other, source, tmp_path / "3", recipe.changed({"seed": 1}))
    assert same(one, again)
    assert not same(one, other)
    first, last = (float(log.splitlines()[row].split(",")[1]) for row in (1, -1))
    assert last < 0.7 * first


def test_the_callers_random_state_is_left_alone(source, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(network_without_seeding(), source, tmp_path)
    assert torch.equal(torch.rand(3), expected)


def network_without_seeding() -> nn.Module:
    with torch.random.fork_rng():
        return network()


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_epoch(source, tmp_path):
    class Explodes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.calls = network(), 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return self.inner(x) * (float("nan") if self.calls > 5 else 1.0)

    with pytest.raises(NonFiniteError, match=r"epoch 2.*lower the recipe's lr"):
        train(Explodes(), source, tmp_path)
    assert (tmp_path / "training.resume").is_file()


def test_a_damaged_resume_file_says_what_to_do(source, tmp_path):
    (tmp_path / "training.resume").write_bytes(b"PK broken")
    with pytest.raises(CheckpointError, match="delete the file"):
        train(network(), source, tmp_path)


def test_the_plan_fits_into_max_steps():
    recipe = RECIPE.changed({"epochs": 10, "max_steps": 25})
    plan = Plan.of(recipe, 160)
    assert (plan.steps_per_epoch, plan.total_steps, plan.epochs) == (10, 25, 3)
    assert Plan.of(RECIPE, 5).batch_size == 5
    with pytest.raises(DataError, match="too few"):
        Plan.of(RECIPE, 1)


def test_crops_are_windows_of_the_padded_image_and_differ_between_images():
    images = torch.arange(1, 65, dtype=torch.uint8).reshape(1, 1, 8, 8).expand(50, 3, 8, 8).contiguous()
    padded = np.pad(images[0, 0].numpy(), 2)
    windows = {padded[i : i + 8, j : j + 8].tobytes() for i in range(5) for j in range(5)}
    cropped = random_crop(images, 2, torch.Generator().manual_seed(0))
    found = {image[0].numpy().tobytes() for image in cropped}
    assert found <= windows
    assert len(found) > 10
    assert all(torch.equal(image[0], image[2]) for image in cropped)


def test_about_half_of_the_images_are_flipped():
    images = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 2, 2).expand(400, 3, 2, 2)
    flipped = random_flip(images, torch.Generator().manual_seed(0))
    is_flipped = (flipped == images.flip(3)).flatten(1).all(1)
    is_same = (flipped == images).flatten(1).all(1)
    assert torch.all(is_flipped ^ is_same)
    assert 150 < int(is_flipped.sum()) < 250


def test_no_augmentation_changes_nothing():
    images = torch.randint(0, 255, (4, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(augment(images, Augmentation(), torch.Generator()), images)
