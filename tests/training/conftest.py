"""Training on a small network: on the CPU as it is, and on the CPU as if it were a device of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from lst_robust.data import ImageSource, open_source
from lst_robust.models import resident
from lst_robust.runtime.progress import Silent
from lst_robust.runtime.resources import Resources
from lst_robust.suites import Augmentation, PixelStatistics, Recipe
from lst_robust.training import feeds, meter, test_set
from lst_robust.training.loop import Fitted, TrainingImages, fit
from lst_robust.training.state import ResumeFile

PIXELS = PixelStatistics(mean=(0.3,) * 3, std=(0.25,) * 3)
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


@pytest.fixture
def as_device(monkeypatch):
    """as_device(free): from now on the CPU counts as a device with so many free bytes of memory."""

    def pretend(free: int = 2**30) -> None:
        for module in (feeds, meter, test_set):
            monkeypatch.setattr(module, "asynchronous", lambda device: True)
        monkeypatch.setattr(resident, "room_for_images", lambda device: free // resident.SHARE)

    return pretend


def small_network() -> nn.Module:
    """With batch norm (running statistics) and dropout (random state)."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(8 * 49, 10)
    )


def trained(model: nn.Module, source: ImageSource, folder: Path, recipe: Recipe = RECIPE, **options) -> Fitted:
    """options: test, a source; observer; and further ones of Resources."""
    images, observer = TrainingImages(source, options.pop("test", None)), options.pop("observer", None) or Silent()
    resources = Resources(torch.device("cpu"), 2, observer, **options)
    return fit(model, images, recipe, PIXELS, resources, resume_file=ResumeFile(folder / "a.resume"), title="training")


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)
