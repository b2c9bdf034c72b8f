"""Philox against its authors' vectors; the distributions; independence of how many and of whom one asks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lst_robust.corruptions.streams import GROUP_WORDS, Streams, normals_from_words, philox


def streams(count: int = 3, **changes) -> Streams:
    key = {"version": "1", "seed": 0, "corruption": "fog", "severity": 1, "ids": range(count), **changes}
    return Streams.for_images(**key)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # kat_vectors of Random123, philox4x32 with 10 rounds
        ("00000000" * 4, "00000000" * 2, "6627e8d5e169c58dbc57ac4c9b00dbd8"),
        ("ffffffff" * 4, "ffffffff" * 2, "408f276d41c83b0ea20bc7c66d5451fd"),
        ("243f6a8885a308d313198a2e03707344", "a4093822299f31d0", "d16cfe0994fdcceb5001e42024126ea1"),
    ],
)
@pytest.mark.filterwarnings("error")  # a sum that goes round is meant, and says nothing
def test_philox_gives_the_published_vectors(counter, key, expected):
    def words(text):
        return np.frombuffer(bytes.fromhex(text), dtype=">u4").astype(np.uint32)

    np.testing.assert_array_equal(philox(words(counter), words(key)), words(expected))


def test_words_are_the_blocks_plane_by_plane():
    source = streams(2)
    words = source.words(5, 2 * GROUP_WORDS)
    block = philox(np.array([256 + 3, 5, 0, 0], dtype=np.uint32), source.keys[1])
    np.testing.assert_array_equal(words[1, GROUP_WORDS + 3 :: 256][:4], block)


@given(few=st.integers(1, 3000), many=st.integers(1, 3000), start=st.integers(0, 4))
@settings(max_examples=25, deadline=None)
def test_a_draw_depends_neither_on_its_length_nor_on_the_neighbours(few, many, start):
    few, many = sorted((few, many))
    source = streams(5)
    for method in (source.words, source.normal, source.uniform):
        np.testing.assert_array_equal(method(1, few), method(1, many)[:, :few])
    np.testing.assert_array_equal(source[start:].words(0, few), source.words(0, few)[start:])


@pytest.mark.parametrize(
    "change", [{"version": "2"}, {"seed": 1}, {"corruption": "snow"}, {"severity": 2}, {"ids": ["a", "b", "c"]}]
)
def test_every_part_of_the_key_changes_the_words(change):
    assert not np.intersect1d(streams().words(0, 64), streams(**change).words(0, 64)).size


def test_streams_of_one_image_differ_and_an_id_is_its_text():
    assert not np.intersect1d(streams().words(0, 64), streams().words(1, 64)).size
    np.testing.assert_array_equal(streams(ids=["0", "1", "2"]).keys, streams(ids=[0, 1, np.int64(2)]).keys)
    assert len(streams(ids=["img\udcff"])) == 1  # a file name that is not UTF-8


def test_the_key_is_stable():
    """Published numbers depend on it."""
    assert streams(1).keys.tolist() == [[501904373, 903062600]]


def test_uniform_and_integers():
    source = streams(4)
    x = source.uniform(0, (100, 500), -2.0, 3.0)
    assert x.shape == (4, 100, 500) and x.dtype == np.float64 and x.min() > -2 and x.max() < 3
    assert stats.kstest(x.ravel(), stats.uniform(-2, 5).cdf).pvalue > 1e-3
    k = source.integers(1, 50000, -3, 4)
    assert k.dtype == np.int64 and set(np.unique(k)) == set(range(-3, 4))
    assert stats.chisquare(np.bincount(k.ravel() + 3)).pvalue > 1e-3


def test_draws_have_the_shape_of_one_image_s_behind_the_images():
    source = streams(3)
    for method in (source.normal, source.uniform, lambda stream, shape: source.integers(stream, shape, 0, 9)):
        assert method(0, ()).shape == (3,)
        assert method(0, 5).shape == (3, 5)
        np.testing.assert_array_equal(method(0, (2, 7)).reshape(3, 14), method(0, 14))
    assert source.normal(0, 5).dtype == np.float32
    assert source.words(0, 5).dtype == np.uint32


def test_normals_are_normal():
    z = streams(8).normal(0, (512, 512)).astype(np.float64)
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-3
    n = z.size
    assert abs(z.mean()) < 4 / n**0.5
    assert abs(z.var() - 1) < 4 * (2 / n) ** 0.5
    assert abs((z**3).mean()) < 4 * (15 / n) ** 0.5
    assert abs((z**4).mean() - 3) < 4 * (96 / n) ** 0.5
    for bound in (3, 4, 4.5):  # tails: a count within 4 sigma of its expectation
        expected = 2 * n * stats.norm.sf(bound)
        assert abs((abs(z) > bound).sum() - expected) < 4 * expected**0.5
    pairs = z.reshape(-1, 4, 256)  # the two of one Box-Muller pair, and of one block
    for a, b in ((0, 1), (2, 3), (0, 2)):
        x, y = pairs[:, a].ravel(), pairs[:, b].ravel()
        assert abs(np.corrcoef(x, y)[0, 1]) < 4 / x.size**0.5
        assert abs(np.corrcoef(x**2, y**2)[0, 1]) < 4 / x.size**0.5


def test_normals_match_box_muller_in_double_precision():
    edges = np.array([0, 1, 2, 3, 2**30, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2, 2**32 - 1], dtype=np.uint32)
    words = np.concatenate([edges, np.random.default_rng(0).integers(0, 2**32, 5000, dtype=np.uint32)])
    radius, angle = (w.ravel() for w in np.meshgrid(words, words[:200]))
    z0, z1 = normals_from_words(radius, angle)
    r = np.sqrt(-2 * np.log(((radius >> 1) + 0.5) / 2**31))
    turn = np.pi / 4 * (1 + ((angle & 0x3FFFFFFF).astype(np.float64) - 2**29) / 2**29)
    assert z0.dtype == z1.dtype == np.float32
    assert np.isfinite(z0).all() and 6.6 < abs(np.concatenate([z0, z1])).max() < 6.67
    np.testing.assert_allclose(abs(z0), abs(r * np.sin(turn)), rtol=2e-6, atol=1e-3 / 2)
    np.testing.assert_allclose(abs(z1), abs(r * np.cos(turn)), rtol=2e-6, atol=1e-3 / 2)
    for z, sign in ((z0, angle >> 31), (z1, (angle >> 30) & 1)):
        clear = abs(z) > 1e-3
        np.testing.assert_array_equal((z < 0)[clear], sign[clear] == 1)
