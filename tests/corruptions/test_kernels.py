"""Every compiled kernel equals its plain definition, byte for byte, and compiling is lazy, visible and optional."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions.engine import CORRUPTIONS, corrupt
from lst_robust.corruptions.presets import HENDRYCKS, IMAGECORRUPTIONS, PRESETS, constants
from lst_robust.corruptions.streams import Streams

COMPILED = [name for name, corruption in CORRUPTIONS.items() if corruption.kernel is not None]
SHAPES = {"imagenet": (1, 224, 224), "tiny-imagenet": (3, 64, 64), "cifar": (5, 32, 32)}


def assert_kernel_is_the_definition(name, images, severity, preset, style="hendrycks"):
    corruption, c = CORRUPTIONS[name], constants(name, severity, preset, style)
    streams = Streams.for_images("1", severity, name, severity, range(len(images)))
    before = images.copy()
    fast = corruption.kernel(images, streams, c)
    np.testing.assert_array_equal(images, before)
    plain = corruption.apply(images, corruption.draw(streams, *images.shape[1:3], c), c)
    np.testing.assert_array_equal(fast, plain)


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", COMPILED)
def test_kernel_is_the_definition(any_images, name, preset, severity):
    assert_kernel_is_the_definition(name, any_images(*SHAPES[preset], seed=severity), severity, preset)


@pytest.mark.parametrize(
    ("name", "severity"),
    [(n, s) for n in COMPILED for s in SEVERITIES if IMAGECORRUPTIONS[n][s - 1] != HENDRYCKS["imagenet"][n][s - 1]],
)
def test_kernel_is_the_definition_in_the_other_style(any_images, name, severity):
    assert_kernel_is_the_definition(name, any_images(2, 96, 80), severity, "imagenet", "imagecorruptions")


@pytest.mark.parametrize("shape", [(1, 16, 16), (6, 17, 40), (2, 55, 20)])
@pytest.mark.parametrize("name", COMPILED)
def test_kernel_is_the_definition_at_odd_sizes(any_images, name, shape):
    for preset in PRESETS:
        for severity in (1, 5):
            assert_kernel_is_the_definition(name, any_images(*shape), severity, preset)


@pytest.mark.parametrize("name", COMPILED)
def test_kernel_is_the_definition_on_pure_noise_and_on_flat_images(name):
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    images[2], images[3] = 0, 255
    for severity in (2, 4):
        assert_kernel_is_the_definition(name, images, severity, "cifar")


def test_a_division_by_255_without_dividing():
    from lst_robust.corruptions.kernels.pixels import unit

    assert [unit(v) for v in np.arange(256, dtype=np.uint8)] == [v / 255.0 for v in range(256)]


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )


CALL = """
import sys, hashlib, numpy as np
from lst_robust.corruptions import corrupt
images = np.arange(2 * 32 * 32 * 3, dtype=np.uint32).astype(np.uint8).reshape(2, 32, 32, 3)
print(hashlib.sha256(corrupt(images, "impulse_noise", 3, preset="cifar")).hexdigest(), "numba" in sys.modules)
"""


def test_compiles_once_says_so_and_can_do_without(tmp_path):
    first, second = (run(CALL, LST_ROBUST_CACHE_DIR=str(tmp_path)) for _ in range(2))
    plain = run(CALL, LST_ROBUST_KERNELS="plain")
    assert [line for line in first.stderr.splitlines() if "impulse_noise" in line] == [
        "lst-robust: compiling impulse_noise for this machine (once, some seconds)"
    ]
    assert second.stderr == "" and second.stdout == first.stdout
    assert plain.stdout == first.stdout.replace("True", "False") and plain.stderr == ""


def test_works_where_nothing_can_be_cached(tmp_path):
    occupied = tmp_path / "file"
    occupied.write_text("")
    result = run(CALL, LST_ROBUST_CACHE_DIR=str(occupied), NUMBA_CACHE_LOCATOR_CLASSES="_UserProvidedCacheLocator")
    assert result.stdout == run(CALL, LST_ROBUST_KERNELS="plain").stdout.replace("False", "True")


def test_the_engine_s_kernels_and_plain_definitions_agree_through_corrupt(any_images, monkeypatch):
    images = any_images(3, 40, 48)
    fast = {name: corrupt(images, name, 3, preset="cifar", seed=9) for name in COMPILED}
    monkeypatch.setenv("LST_ROBUST_KERNELS", "plain")
    for name in COMPILED:
        np.testing.assert_array_equal(corrupt(images, name, 3, preset="cifar", seed=9), fast[name])
