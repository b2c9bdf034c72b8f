"""The repaired imagecorruptions, and our engine in its style against it with its own draws fed in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions import corruption_names, reference
from lst_robust.corruptions.reference import (
    impulse_generator,
    legacy_generator,
    reference_corrupt,
    reference_streams,
    reference_version,
)
from lst_robust.corruptions.registry import built_in, constants
from lst_robust.errors import DataError, UsageError
from tests.corruptions.legacy_draws import legacy_draws

WITHIN_A_LEVEL = {"defocus_blur", "snow"}  # OpenCV: a Fourier transform; float32 sums that depend on the machine


def reference_draws(name, image, c, severity):
    """What the reference draws for image 0 under seed 0, with the leading axis."""
    keys = reference_streams(name, severity, 0, [0]).keys[0]
    if name == "impulse_noise":  # scikit-image's order
        generator = impulse_generator(keys)
        hit, salted = generator.random(image.shape) <= c.amount, generator.random(image.shape) <= 0.5
        draws = {"salt": hit & salted, "pepper": hit & ~salted}
    else:
        draws = legacy_draws(name, image, c, legacy_generator(keys))
    return {key: np.asarray(value)[None] for key, value in draws.items()}


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("size", [32, 64, 224])
@pytest.mark.parametrize("name", corruption_names())
def test_our_engine_in_its_style_gives_its_levels(any_images, name, size, severity):
    if name == "glass_blur" and size == 224 and severity != 2:
        pytest.skip("the reference takes seconds an image")
    images, c = any_images(1, size, size, seed=severity), constants(name, severity, "imagenet", "imagecorruptions")
    theirs = reference_corrupt(images, name, severity)
    ours = built_in()[name].apply(images, reference_draws(name, images[0], c, severity), c)
    difference = abs(ours.astype(int) - theirs)
    assert difference.max() <= (name in WITHIN_A_LEVEL)
    assert difference.mean() <= 2e-4


@pytest.mark.parametrize("name", ["snow", "frost", "fog", "motion_blur", "zoom_blur", "elastic_transform", "spatter"])
@pytest.mark.parametrize("severity", [2, 5])
def test_oblong_images(any_images, name, severity):
    images, c = any_images(1, 47, 70), constants(name, severity, "imagenet", "imagecorruptions")
    theirs = reference_corrupt(images, name, severity)
    ours = built_in()[name].apply(images, reference_draws(name, images[0], c, severity), c)
    assert abs(ours.astype(int) - theirs).max() <= (name in WITHIN_A_LEVEL)


@pytest.mark.parametrize("name", corruption_names())
def test_repeatable_whatever_the_batch_and_the_threads(any_images, name):
    """impulse_noise and glass_blur included; NumPy's global generator is neither read nor changed."""
    images = any_images(3, 32, 32)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    whole = reference_corrupt(images, name, 3, seed=1, ids=["a", "b", "c"])
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    with ThreadPoolExecutor(2) as pool:
        parts = list(pool.map(lambda i: reference_corrupt(images[i], name, 3, seed=1, ids=["abc"[i]]), [2, 1, 0]))
    np.testing.assert_array_equal(whole, np.stack(parts[::-1]))
    assert (whole != images).any()


def test_seed_and_id_decide_the_noise(any_images):
    image = any_images(1, 32, 32)
    for name in ("gaussian_noise", "impulse_noise", "glass_blur"):
        results = [reference_corrupt(image, name, 2, seed=s, ids=[i]) for s, i in [(0, 0), (1, 0), (0, 1)]]
        assert len({r.tobytes() for r in results}) == 3


def test_arguments_that_cannot_be_meant(any_images, monkeypatch):
    images = any_images(2, 32, 32)
    assert reference_version() == "1.1.2"
    for arguments, message in [
        ((images, "fogg", 1), "did you mean fog"),
        ((images, "fog", 6), "from 1 to 5"),
        ((images / 255.0, "fog", 1), "uint8"),
        ((images[:, :31], "fog", 1), "32 pixels"),
    ]:
        with pytest.raises(UsageError, match=message):
            reference_corrupt(*arguments)
    with pytest.raises(UsageError, match="one id an image"):
        reference_corrupt(images, "fog", 1, ids=[1])

    def absent(name):
        raise reference.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(reference.metadata, "distribution", absent)
    with pytest.raises(DataError, match="install it"):
        reference_corrupt(images, "fog", 1)
