"""The streams on a device: bit for bit those of corruptions.streams, however many are asked for and of whom."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lst_robust.corruptions.streams import GROUP, GROUP_WORDS, Streams
from lst_robust.corruptions.streams import normals_from_words as normals_on_the_host
from lst_robust.torch_engine.arithmetic import square_root
from lst_robust.torch_engine.streams import TensorStreams, normals_from_words, philox, product, product_offset

COUNTS = [1, 2, GROUP - 1, GROUP, GROUP + 1, GROUP_WORDS - 1, GROUP_WORDS, GROUP_WORDS + 1, 3 * GROUP_WORDS + 77]
RANDOM_KEYS = np.random.default_rng(0).integers(0, 2**32, (4, 2), dtype=np.uint32)
EXTREME_KEYS = np.array([[0, 0], [2**32 - 1, 2**32 - 1], [2**31, 2**31 - 1], [1, 2**31 + 1]], dtype=np.uint32)


def both(keys: np.ndarray) -> tuple[Streams, TensorStreams]:
    return Streams(keys), TensorStreams.on(Streams(keys), "cpu")


def assert_same_bits(device: torch.Tensor, host: np.ndarray) -> None:
    """Also the sign of a zero."""
    assert device.numpy().dtype == host.dtype and device.shape == host.shape
    np.testing.assert_array_equal(device.contiguous().numpy().view(np.uint8), np.ascontiguousarray(host).view(np.uint8))


@pytest.mark.parametrize("keys", [RANDOM_KEYS, EXTREME_KEYS])
@pytest.mark.parametrize("stream", [0, 1, 7])
@pytest.mark.parametrize("count", COUNTS)
def test_words_normals_uniforms_and_integers_are_the_host_s(keys, stream, count):
    host, device = both(keys)
    words = host.words(stream, count)
    assert_same_bits(device.words(stream, count), words.astype(np.int64))
    assert_same_bits(device.centred_words(stream, count), (words.astype(np.int64) - 2**31).astype(np.int32))
    assert_same_bits(device.normal(stream, count), host.normal(stream, count))
    for low, high in ((0.0, 1.0), (-2.0, 3.0), (-45.0, 45.0), (0.1, 0.3), (-1.12, 1.12)):
        assert_same_bits(device.uniform(stream, count, low, high), host.uniform(stream, count, low, high))
    for low, high in ((0, 1), (0, 2), (-3, 4), (5, 1005), (0, 2**31), (-(2**30), 2**30)):
        assert_same_bits(device.integers(stream, count, low, high), host.integers(stream, count, low, high))


@pytest.mark.parametrize("shape", [(3,), (7, 5), (32, 32, 3), (17, 23, 3), (2, 1, 300)])
def test_draws_have_the_shape_of_one_image_s_behind_the_images(shape):
    host, device = both(RANDOM_KEYS)
    assert_same_bits(device.normal(2, shape), host.normal(2, shape))
    assert_same_bits(device.uniform(2, shape), host.uniform(2, shape))
    assert_same_bits(device.integers(2, shape, -4, 5), host.integers(2, shape, -4, 5))
    assert device.centred_words(2, shape).shape == (4, *shape)


@given(few=st.integers(1, 3000), many=st.integers(1, 3000), start=st.integers(0, 3), length=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_a_draw_depends_neither_on_its_length_nor_on_the_neighbours(few, many, start, length):
    few, many = sorted((few, many))
    stop = min(start + length, 4)
    device = both(RANDOM_KEYS)[1]
    for method in (device.words, device.centred_words, device.normal, device.uniform):
        whole, part = method(1, many), device[start:stop]
        assert len(part) == stop - start
        assert torch.equal(getattr(part, method.__name__)(1, few), whole[start:stop, :few])


def test_a_million_normals():
    """All exponents of u but the rarest, and all octants."""
    host, device = both(RANDOM_KEYS[:2])
    assert_same_bits(device.normal(3, 500_000), host.normal(3, 500_000))


def test_normals_of_the_rarest_words():
    edges = np.array([0, 1, 2, 3, 2**30 - 1, 2**30, 2**31 - 1, 2**31, 3 * 2**30, 2**32 - 2, 2**32 - 1], dtype=np.uint32)
    radius, angle = (
        grid.ravel() for grid in np.meshgrid(edges, np.append(edges, [2**29, 2**29 + 1]).astype(np.uint32))
    )
    expected = normals_on_the_host(radius, angle)
    centred = torch.from_numpy((radius ^ np.uint32(2**31)).view(np.int32))
    for ours, theirs in zip(normals_from_words(centred, torch.from_numpy(angle.view(np.int32))), expected, strict=True):
        assert_same_bits(ours, theirs)


@given(word=st.integers(0, 2**32 - 1), multiplier=st.integers(0, 2**32 - 1))
def test_a_product_in_two_halves(word, multiplier):
    high, low = product(
        torch.tensor([word - 2**31], dtype=torch.int32), multiplier, product_offset(multiplier, torch.device("cpu"))
    )
    assert int(high[0]) + 2**31 == word * multiplier >> 32
    assert int(low[0]) % 2**32 == word * multiplier % 2**32


def test_philox_gives_the_published_vector():
    """kat_vectors of Random123, philox4x32 with 10 rounds, the one whose counter starts with a block of ours."""
    words = philox(torch.zeros(1, dtype=torch.int64), 0, torch.tensor([[0, 0]]))
    raw = np.array([int(word) for word in words]) + np.array([2**31, 0, 2**31, 0])
    assert (raw % 2**32).tolist() == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


def test_square_roots_are_rounded_correctly():
    x = np.random.default_rng(0).uniform(0, 23, 200_000).astype(np.float32)
    x[:4] = 0, 1, np.finfo(np.float32).tiny, 22.180708
    assert_same_bits(square_root(torch.from_numpy(x)), np.sqrt(x))


def test_no_images():
    streams = both(RANDOM_KEYS)[1][2:2]
    assert streams.normal(0, (17, 23, 3)).shape == (0, 17, 23, 3) and streams.words(0, 9).shape == (0, 9)
    assert streams.uniform(0, 2000).shape == (0, 2000) and streams.integers(0, (2, 3), 0, 5).shape == (0, 2, 3)


def test_nothing_is_read_from_the_device():
    streams = TensorStreams(torch.zeros((3, 2), dtype=torch.int64, device="meta"))
    assert streams.normal(0, (17, 23, 3)).shape == (3, 17, 23, 3)
    assert streams.words(0, 5000).shape == (3, 5000) and streams.integers(0, 4, 0, 9).shape == (3, 4)
    assert streams.uniform(1, (2, 2)).dtype == torch.float64 and streams.centred_words(0, 9).dtype == torch.int32
