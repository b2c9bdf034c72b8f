"""What every kernel is held to: the bytes of the plain definition. Each test_<module>.py makes the tests of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions import Streams, constants, corrupt, corruption_named
from lst_robust.corruptions.presets import PRESETS

SHAPES = {"imagenet": (1, 224, 224), "tiny-imagenet": (3, 64, 64), "cifar": (5, 32, 32)}


def assert_same(name: str, images: np.ndarray, severity: int, preset: str, style: str = "hendrycks") -> None:
    corruption, c = corruption_named(name), constants(name, severity, preset, style)
    streams = Streams.for_images("1", severity, name, severity, range(len(images)))
    before = images.copy()
    assert corruption.kernel is not None
    fast = corruption.kernel(images, streams, c)
    np.testing.assert_array_equal(images, before)
    plain = corruption.apply(images, corruption.draw(streams, *images.shape[1:3], c), c)
    np.testing.assert_array_equal(fast, plain)


def twins(*names: str) -> type:
    """A class of tests for the kernels of these corruptions."""

    @pytest.mark.parametrize("name", names)
    class Twins:
        @pytest.mark.parametrize("severity", SEVERITIES)
        @pytest.mark.parametrize("preset", PRESETS)
        def test_of_every_preset_and_severity(self, any_images: Callable, name: str, preset: str, severity: int):
            assert_same(name, any_images(*SHAPES[preset], seed=severity), severity, preset)

        @pytest.mark.parametrize("severity", SEVERITIES)
        def test_of_the_other_style(self, any_images: Callable, name: str, severity: int):
            assert_same(name, any_images(2, 96, 80), severity, "imagenet", "imagecorruptions")

        @pytest.mark.parametrize("shape", [(1, 16, 16), (6, 17, 40), (2, 55, 20)])
        def test_at_odd_sizes(self, any_images: Callable, name: str, shape: tuple[int, int, int]):
            for preset in PRESETS:
                for severity in (1, 5):
                    assert_same(name, any_images(*shape), severity, preset)

        def test_on_pure_noise_and_on_flat_images(self, name: str):
            images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
            images[2], images[3] = 0, 255
            for severity in (2, 4):
                assert_same(name, images, severity, "cifar")

        def test_through_corrupt(self, any_images: Callable, monkeypatch: pytest.MonkeyPatch, name: str):
            images = any_images(3, 40, 48)
            fast = corrupt(images, name, 3, preset="cifar", seed=9)
            monkeypatch.setenv("LST_ROBUST_CORRUPTION_KERNELS", "plain")
            np.testing.assert_array_equal(corrupt(images, name, 3, preset="cifar", seed=9), fast)

    return Twins
