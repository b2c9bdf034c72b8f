"""pixelate and jpeg_compression: golden outputs, odd sizes, and Pillow's own."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions import corrupt
from lst_robust.corruptions.digital import Pixelate
from lst_robust.corruptions.registry import built_in, constants


def no_legacy_draws(image, c):
    return {}


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("size", [32, 64, 224])
@pytest.mark.parametrize("name", ["pixelate", "jpeg_compression"])
def test_golden(golden_differences, name, size, severity):
    assert golden_differences(name, size, severity, no_legacy_draws).max() == 0


@pytest.mark.parametrize(
    ("upsample", "filter_"), [("box", Image.Resampling.BOX), ("nearest", Image.Resampling.NEAREST)]
)
def test_pixelate_keeps_odd_sizes(any_images, upsample, filter_):
    images = any_images(2, 33, 47)
    result = built_in()["pixelate"].apply(images, {}, Pixelate(0.3, upsample))
    small = Image.fromarray(images[1]).resize((14, 9), Image.Resampling.BOX)
    np.testing.assert_array_equal(result[1], np.asarray(small.resize((47, 33), filter_)))


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
