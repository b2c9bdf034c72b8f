"""First layers: which one an image size gets, and the size that it leaves."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lst_robust.errors import UsageError
from lst_robust.models import create_model
from lst_robust.models.stems import ALEXNET_STEMS, RESNET_STEMS, resolve_stem, stem_convolution, stem_pool

torch.set_num_threads(1)


def test_default_stem_depends_on_the_image_size() -> None:
    assert create_model("resnet18", num_classes=2, image_size=32).config.options["stem"] == "3x3s1"
    config = create_model("resnet18", num_classes=2).config
    assert (config.options["stem"], config.input_size) == ("7x7s2-pool", 224)
    assert "7x7" in config.adaptation


@pytest.mark.parametrize(
    ("allowed", "image_size", "stem"),
    [
        (RESNET_STEMS, 112, "7x7s2-pool"),
        (RESNET_STEMS, 111, "3x3s1"),
        (ALEXNET_STEMS, 224, "11x11s4"),
        (ALEXNET_STEMS, 32, "3x3s1-pool"),
    ],
)
def test_auto_is_the_first_stem_from_112_pixels_on(allowed, image_size, stem) -> None:
    assert resolve_stem("auto", allowed, image_size) == stem


def test_a_stem_of_another_family_is_refused() -> None:
    assert resolve_stem("3x3s2-pool", ALEXNET_STEMS, 224) == "3x3s2-pool"
    with pytest.raises(UsageError, match="'3x3s1': choose from auto, 11x11s4"):
        resolve_stem("3x3s1", ALEXNET_STEMS, 224)


@pytest.mark.parametrize(
    ("stem", "side"), [("7x7s2-pool", 16), ("3x3s1", 64), ("3x3s2", 32), ("3x3s1-pool", 32), ("3x3s2-pool", 16)]
)
def test_what_a_stem_leaves_of_64_pixels(stem, side) -> None:
    layers = nn.Sequential(stem_convolution(stem, 8), stem_pool(stem))
    assert layers(torch.zeros(1, 3, 64, 64)).shape == (1, 8, side, side)
