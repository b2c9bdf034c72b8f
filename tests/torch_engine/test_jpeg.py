"""The JPEG of the torch engine: Pillow's bytes at every size and quality, for every kind of content."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions.digital import Jpeg, apply_jpeg_compression
from lst_robust.corruptions.jpeg import OFFICIAL_QUALITY, as_official_files
from lst_robust.corruptions.presets import PRESETS
from lst_robust.torch_engine.jpeg import TRANSFORM, jpeg_round_trip, quantiser, transforms
from tests.corruptions.kernels.test_jpeg import CONTENTS
from tests.torch_engine.same_bytes import SHAPES, assert_same


def assert_pillow_s(images: np.ndarray, quality: int) -> None:
    given = torch.from_numpy(images.copy())
    made = jpeg_round_trip(given, quality)
    assert made.is_contiguous() and made.dtype == torch.uint8
    np.testing.assert_array_equal(made.numpy(), apply_jpeg_compression(images, {}, Jpeg(quality)))
    np.testing.assert_array_equal(given.numpy(), images)


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("preset", PRESETS)
def test_of_every_preset_and_severity(any_images, preset, severity):
    assert_same("jpeg_compression", any_images(*SHAPES[preset], seed=severity), severity, preset)


@settings(deadline=None, max_examples=150)
@given(
    kind=st.sampled_from(sorted(CONTENTS)),
    height=st.integers(1, 70),
    width=st.integers(5, 70),
    count=st.integers(1, 3),
    quality=st.integers(1, 100),
    seed=st.integers(0, 2**32 - 1),
)
def test_it_is_pillow_s_at_any_size_and_quality(kind, height, width, count, quality, seed):
    rng = np.random.default_rng(seed)
    assert_pillow_s(np.stack([CONTENTS[kind](rng, height, width) for _ in range(count)]), quality)


@pytest.mark.parametrize("kind", CONTENTS)
def test_every_quality(kind):
    images = CONTENTS[kind](np.random.default_rng(1), 18, 34)[None]
    for quality in range(1, 101):
        assert_pillow_s(images, quality)


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_large_image(kind):
    assert_pillow_s(CONTENTS[kind](np.random.default_rng(2), 224, 224)[None], 85)


def test_what_the_official_files_went_through(any_images):
    images = any_images(3, 33, 48)
    made = jpeg_round_trip(torch.from_numpy(images), OFFICIAL_QUALITY)
    np.testing.assert_array_equal(made.numpy(), as_official_files(images))


def test_the_transform_is_a_cosine_transform():
    """13 bits after the binary point, of which sums of constants may lose one; sqrt(8) times the orthonormal one."""
    frequency, place = np.mgrid[:8, :8]
    cosines = np.cos(np.pi / 16 * frequency * (2 * place + 1)) * np.where(frequency, np.sqrt(2), 1)
    np.testing.assert_allclose(np.array(TRANSFORM) / 2**13, cosines, atol=2**-12)


def test_what_all_streams_share_is_computed_on_the_host():
    """The device only gets copies, for which the host waits: no stream sees a table that another still computes."""
    asked = []

    class Operations(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            if result.device.type == "meta":
                asked.append(str(function))
            return result

    for tables, arguments in ((transforms, ()), (quantiser, (50, 3))):
        tables.cache_clear()
        with Operations():
            tables(*arguments, torch.device("meta"))
        tables.cache_clear()
    assert asked == ["aten._to_copy.default"] * 5
    for matrix, bits in zip(transforms(torch.device("cpu")), (11, 15, 18), strict=True):
        assert matrix.dtype == torch.float64 and torch.equal(matrix * 2.0**bits, torch.tensor(TRANSFORM).double())
