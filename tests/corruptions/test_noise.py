"""The noises: golden outputs with the authors' draws fed in, our own draws, and their distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions import corrupt
from lst_robust.corruptions.noise import Noise, impulse_threshold, poisson_thresholds
from lst_robust.corruptions.presets import PRESETS
from lst_robust.corruptions.registry import built_in, constants
from lst_robust.corruptions.streams import Streams
from tests.corruptions.known_streams import HEIGHT, STREAMS, WIDTH, drawn, normal, words


def legacy_normal(image, c):
    return {"normal": np.random.normal(size=image.shape)}  # noqa: NPY002


def legacy_poisson(image, c):
    """Words at which the Poisson quantile is the count that the reference drew."""
    counts = np.random.poisson(image / 255.0 * c.amount)  # noqa: NPY002
    below = np.pad(poisson_thresholds(c.amount), ((0, 0), (1, 0)))  # thresholds of count - 1
    words = below[image, counts]
    assert (words < below[image, counts + 1]).all(), "a count too unlikely for 32 bits"
    return {"word": words.astype(np.uint32)}


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("size", [32, 64, 224])
@pytest.mark.parametrize(
    ("name", "legacy_draw"),
    [("gaussian_noise", legacy_normal), ("speckle_noise", legacy_normal), ("shot_noise", legacy_poisson)],
)
def test_golden(golden_differences, name, legacy_draw, size, severity):
    assert golden_differences(name, size, severity, legacy_draw).max() == 0


@pytest.mark.parametrize("severity", SEVERITIES)
def test_impulse_noise_is_skimage_s_with_its_own_draws(any_images, severity):
    from skimage.util import random_noise

    images, c = any_images(2, 40, 48), constants("impulse_noise", severity, "imagenet")
    for image in images:
        theirs = random_noise(image / 255.0, mode="s&p", amount=c.amount, rng=np.random.default_rng(severity))
        generator = np.random.default_rng(severity)
        hit = generator.random(image.shape) <= c.amount
        salted = generator.random(image.shape) <= 0.5
        draws = {"salt": (hit & salted)[None], "pepper": (hit & ~salted)[None]}
        ours = built_in()["impulse_noise"].apply(image[None], draws, c)[0]
        np.testing.assert_array_equal(ours, (np.clip(theirs, 0, 1) * 255).astype(np.uint8))


def level_probabilities(name: str, value: int, amount: float) -> np.ndarray:
    """P(output level) of one pixel value, in closed form: (256,)."""
    x, levels = value / 255.0, np.arange(1, 256)
    if name == "shot_noise":
        counts = np.arange(int(10 * amount + 100))
        outputs = (np.clip(counts / amount, 0, 1) * 255).astype(int)
        return np.bincount(outputs, stats.poisson.pmf(counts, x * amount), minlength=256)
    if name == "impulse_noise":
        probability = np.zeros(256)
        probability[[0, 255]] = amount / 2
        probability[value] += 1 - amount
        return probability
    scale = amount * (x if name == "speckle_noise" else 1.0)
    below = stats.norm.cdf((levels / 255 - x) / scale)  # the output is under a level when clip(x + noise) is
    return np.diff(below, prepend=0, append=1)


@pytest.mark.parametrize("value", [0, 1, 40, 128, 254, 255])
@pytest.mark.parametrize("severity", [1, 5])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", ["gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"])
def test_output_levels_have_the_right_distribution(name, preset, severity, value):
    """chi² per degree of freedom under 2 over all levels with an expectation of at least 20."""
    images = np.full((4, 160, 160, 3), value, dtype=np.uint8)
    counted = np.bincount(corrupt(images, name, severity, preset=preset).ravel(), minlength=256)
    if value == 0 and name in ("shot_noise", "speckle_noise"):
        assert counted[0] == images.size
        return
    expected = level_probabilities(name, value, constants(name, severity, preset).amount) * images.size
    common = expected >= 20
    assert abs(counted[~common].sum() - expected[~common].sum()) < 6 * (expected[~common].sum() + 1) ** 0.5
    degrees = max(common.sum() - 1, 1)
    chi2 = ((counted - expected)[common] ** 2 / expected[common]).sum()
    # 2 is far out for many levels; for a handful chance alone goes beyond it
    assert chi2 / degrees < max(2, stats.chi2.isf(1e-4, degrees) / degrees)


@pytest.mark.parametrize("photons", [3, 60, 500])
def test_poisson_thresholds_are_the_distribution_function(photons):
    thresholds = poisson_thresholds(photons)
    means = np.arange(256)[:, None] / 255 * photons
    exact = stats.poisson.cdf(np.arange(thresholds.shape[1]), means) * 2**32
    assert abs(thresholds.astype(np.float64) - exact).max() <= 1
    assert (thresholds[:, -1] == 2**32).all()
    assert (np.diff(thresholds.astype(np.int64), axis=1) >= 0).all()


def test_noise_draws_are_those_of_the_plain_definition():
    """The draw of one image, by hand, from its stream: what a seed means stays what it was."""
    image = np.full((1, 16, 16, 3), 100, dtype=np.uint8)
    streams = Streams.for_images("1", 3, "gaussian_noise", 2, ["a"])
    expected = np.clip(100 / 255 + 0.06 * streams.normal(0, (16, 16, 3)).astype(np.float64), 0, 1) * 255
    ours = corrupt(image, "gaussian_noise", 2, preset="cifar", seed=3, ids=["a"])
    np.testing.assert_array_equal(ours, expected.astype(np.uint8))
    assert constants("gaussian_noise", 2, "cifar") == Noise(0.06)


@pytest.mark.parametrize("name", ["gaussian_noise", "speckle_noise"])
def test_noise_has_a_normal_of_its_own_for_each_value(name):
    draws = drawn(name, Noise(0.1))
    assert list(draws) == ["normal"]
    np.testing.assert_array_equal(draws["normal"], normal(0, HEIGHT, WIDTH, 3))


def test_shot_noise_has_a_word_for_each_value():
    draws = drawn("shot_noise", Noise(60))
    assert list(draws) == ["word"]
    assert draws["word"].dtype == np.uint32
    np.testing.assert_array_equal(draws["word"], words(0, HEIGHT, WIDTH, 3))


def test_impulse_noise_hits_with_its_probability_and_odd_words_are_salt():
    draws = drawn("impulse_noise", Noise(0.25))
    word = words(0, HEIGHT, WIDTH, 3)
    assert sorted(draws) == ["pepper", "salt"]
    np.testing.assert_array_equal(draws["salt"], (word < 2**30) & (word % 2 == 1))
    np.testing.assert_array_equal(draws["pepper"], (word < 2**30) & (word % 2 == 0))


def test_a_word_at_the_threshold_of_impulse_noise_is_no_hit():
    class Fixed(Streams):
        def words(self, stream: int, count: int) -> np.ndarray:
            first = np.array([2**30 - 2, 2**30 - 1, 2**30, 2**30 + 1], np.uint32)
            return np.resize(first, (len(self), count))

    draws = built_in()["impulse_noise"].draw(Fixed(STREAMS.keys), 2, 2, Noise(0.25))
    assert draws["pepper"].ravel()[:4].tolist() == [True, False, False, False]
    assert draws["salt"].ravel()[:4].tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("amount", "threshold"), [(0.0, 0), (2**-32, 0), (2**-31, 2), (0.03, 128849018), (0.25, 2**30), (0.5, 2**31)]
)
def test_the_threshold_of_impulse_noise_is_the_nearest_even_word(amount, threshold):
    assert impulse_threshold(amount) == threshold
    assert impulse_threshold(amount).dtype == np.uint32
