"""pixelate of the torch engine: Pillow's bytes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions import constants
from lst_robust.corruptions.presets import PRESETS
from lst_robust.torch_engine.digital import box_tables
from tests.torch_engine.same_bytes import SHAPES, assert_same


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("preset", PRESETS)
def test_of_every_preset_and_severity(any_images, preset, severity):
    assert_same("pixelate", any_images(*SHAPES[preset], seed=severity), severity, preset)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_of_the_other_style(any_images, severity):
    for shape in ((2, 48, 33), (1, 17, 23)):
        assert_same("pixelate", any_images(*shape), severity, "imagenet", "imagecorruptions")


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(16, 130),
    width=st.integers(16, 130),
    severity=st.sampled_from(SEVERITIES),
    choice=st.sampled_from([(preset, "hendrycks") for preset in PRESETS] + [("imagenet", "imagecorruptions")]),
)
def test_at_any_size(height, width, severity, choice):
    images = np.random.default_rng(height).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    assert_same("pixelate", images, severity, *choice)


def test_blocks_differ_by_one_pixel_at_most():
    """`box_tables` relies on it, and asserts it."""
    factors = {constants("pixelate", severity, preset).factor for severity in SEVERITIES for preset in PRESETS}
    for factor in factors:
        for length in range(16, 400):
            places, has_last, weights = box_tables(length, int(length * factor), torch.device("cpu"))
            assert places.min() >= 0 and places.max() < length and set(has_last.tolist()) <= {0, 1}
            assert torch.equal(weights, (2**22 / (len(places) - 1 + has_last)).round().int())


def test_of_extremes_and_one_large_image(any_images):
    images = np.zeros((2, 40, 24, 3), np.uint8)
    images[1] = 255
    for severity in SEVERITIES:
        assert_same("pixelate", images, severity, "imagenet")
    assert_same("pixelate", any_images(1, 224, 224), 4, "imagenet")
