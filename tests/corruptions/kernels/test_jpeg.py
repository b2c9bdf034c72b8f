"""The JPEG of the kernel: Pillow's bytes at every size and quality, for every kind of content."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lst_robust.corruptions.digital import Jpeg, apply_jpeg_compression
from lst_robust.corruptions.kernels import jpeg
from tests.corruptions.kernels.twins import twins

TestJpeg = twins("jpeg_compression")


def waves(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Black and white patterns, others in each block and channel: the largest coefficients that there can be."""
    steps = np.cos((2 * np.arange(8) + 1) * np.arange(8)[:, None] * np.pi / 16) >= 0
    across, down = -(-width // 8), -(-height // 8)
    u, v = rng.integers(0, 8, (2, down, across, 3))
    blocks = steps[v][..., :, None] == steps[u][..., None, :]  # (down, across, 3, 8, 8)
    return np.uint8(255) * blocks.transpose(0, 3, 1, 4, 2).reshape(8 * down, 8 * across, 3)[:height, :width]


def ramp(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    slopes = rng.normal(0, 6, (3, 3))
    levels = (
        slopes[0] * np.arange(height)[:, None, None] + slopes[1] * np.arange(width)[None, :, None] + slopes[2] + 128
    )
    return np.clip(levels, 0, 255).astype(np.uint8)


CONTENTS = {
    "noise": lambda rng, height, width: rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
    "extremes": lambda rng, height, width: rng.integers(0, 2, (height, width, 3), dtype=np.uint8) * np.uint8(255),
    "one colour": lambda rng, height, width: np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8),
    "grey": lambda rng, height, width: np.repeat(rng.integers(0, 256, (height, width, 1), dtype=np.uint8), 3, axis=2),
    "ramp": ramp,
    "waves": waves,
    "noisy ramp": lambda rng, height, width: np.clip(
        ramp(rng, height, width) + rng.normal(0, 9, (height, width, 3)), 0, 255
    ).astype(np.uint8),
}


def assert_pillow_s(images: np.ndarray, quality: int) -> None:
    before = images.copy()
    ours = jpeg.round_trip(images, quality)
    np.testing.assert_array_equal(ours, apply_jpeg_compression(images, {}, Jpeg(quality)), strict=True)
    np.testing.assert_array_equal(images, before)


@settings(deadline=None, max_examples=200)
@given(
    kind=st.sampled_from(sorted(CONTENTS)),
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    count=st.integers(1, 3),
    quality=st.integers(1, 100),
    seed=st.integers(0, 2**32 - 1),
)
def test_it_is_pillow_s_at_any_size_and_quality(kind, height, width, count, quality, seed):
    rng = np.random.default_rng(seed)
    assert_pillow_s(np.stack([CONTENTS[kind](rng, height, width) for _ in range(count)]), quality)


@pytest.mark.parametrize("kind", CONTENTS)
def test_the_narrowest_and_lowest_images(kind):
    """Chroma of one or two samples across is repeated, not blended: images up to four pixels wide."""
    rng = np.random.default_rng(0)
    for height in (1, 2, 3, 15, 16, 17):
        for width in (1, 2, 3, 4, 5, 6, 15, 16, 17):
            for shape in ((height, width), (width, height)):
                assert_pillow_s(CONTENTS[kind](rng, *shape)[None], 60)


@pytest.mark.parametrize("kind", CONTENTS)
def test_every_quality(kind):
    images = CONTENTS[kind](np.random.default_rng(1), 24, 40)[None]
    for quality in range(1, 101):
        assert_pillow_s(images, quality)


@pytest.mark.slow
def test_ten_thousand_random_cases():
    rng = np.random.default_rng(2026)
    for _ in range(10_000):
        kind = list(CONTENTS)[rng.integers(len(CONTENTS))]
        height, width = np.exp(rng.uniform(0, np.log(260), 2)).astype(int)
        quality = int(rng.integers(1, 101))
        assert_pillow_s(CONTENTS[kind](rng, height, width)[None], quality)


def test_images_are_the_same_in_any_company(any_images, monkeypatch):
    """Also where they are more than what is worked on at once, and where the last group is not full."""
    images = any_images(7, 40, 24)
    together = jpeg.round_trip(images, 30)
    monkeypatch.setattr(jpeg, "GROUP_BYTES", 3 * 6 * 384)
    np.testing.assert_array_equal(jpeg.round_trip(images, 30), together)
    np.testing.assert_array_equal(np.concatenate([jpeg.round_trip(images[i : i + 1], 30) for i in range(7)]), together)


def test_a_large_image_and_no_image(any_images):
    assert_pillow_s(any_images(1, 700, 900), 85)
    assert jpeg.round_trip(np.empty((0, 40, 24, 3), np.uint8), 85).shape == (0, 40, 24, 3)


def test_read_only_and_strided_images(any_images):
    images = any_images(2, 48, 60)[:, ::2, 5:]
    images.flags.writeable = False
    assert_pillow_s(images, 50)


def test_another_libjpeg_decides_where_it_gives_other_bytes(any_images, monkeypatch):
    """Pillow is the definition: the kernel steps back where its bytes are not this Pillow's."""
    assert jpeg.pillow_has_these_bytes()
    images = any_images(2, 32, 32)

    def other_libjpeg(images, draws, c):
        result = apply_jpeg_compression(images, draws, c)
        result[0, 0, 0] ^= 1
        return result

    jpeg.pillow_has_these_bytes.cache_clear()
    monkeypatch.setattr(jpeg, "apply_jpeg_compression", other_libjpeg)
    try:
        assert not jpeg.pillow_has_these_bytes()
        np.testing.assert_array_equal(jpeg.jpeg_round_trip(images, 25), other_libjpeg(images, {}, Jpeg(25)))
    finally:
        jpeg.pillow_has_these_bytes.cache_clear()
