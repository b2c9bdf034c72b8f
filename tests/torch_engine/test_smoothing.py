"""The smoothing of elastic_transform's fields: scipy's bits for few taps, near them and order-free for many."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from lst_robust.torch_engine.smoothing import (
    PLAIN_PAIRS,
    VALUE_BITS,
    WEIGHT_BITS,
    half_gaussian,
    pieces,
    smooth,
    smoothing_matrix,
    times,
)

CPU = torch.device("cpu")


def fields(count, height, width, reach=1.0):
    return np.random.default_rng(3).uniform(-reach, reach, (count, height, width))


def scipys(x, sigma):
    return np.stack([gaussian_filter(field, sigma, mode="reflect", truncate=3) for field in x])


@pytest.mark.parametrize("sigma", [(0.3, 0.3), (2.44, 2.44), (1.5, 0.7), (8, 6)])
@pytest.mark.parametrize("size", [(16, 20), (33, 17)])
def test_few_taps_are_scipys(size, sigma):
    assert max(len(half_gaussian(s)) for s in sigma) - 1 <= PLAIN_PAIRS
    x = fields(2, *size)
    np.testing.assert_array_equal(smooth(torch.from_numpy(x), sigma, 1.0), scipys(x, sigma))


@pytest.mark.parametrize("reach", [1.0, 0.08, 5.0])
@pytest.mark.parametrize("sigma", [(19.5, 19.5), (170.8, 170.8), (10, 2)])
@pytest.mark.parametrize("size", [(16, 20), (64, 48)])
def test_many_taps_are_near_scipys(size, sigma, reach):
    """Displacements are rounded to float32, which is far coarser."""
    x = fields(2, *size, reach)
    made = smooth(torch.from_numpy(x), sigma, reach).numpy()
    np.testing.assert_allclose(made, scipys(x, sigma), rtol=0, atol=1e-13 * reach)


def test_many_taps_do_not_depend_on_the_batch():
    x = torch.from_numpy(fields(7, 40, 24))
    whole = smooth(x, (30, 30), 1.0)
    assert torch.equal(torch.cat([smooth(field[None], (30, 30), 1.0) for field in x]), whole)
    assert torch.equal(smooth(x.flip(0), (30, 30), 1.0), whole.flip(0))


@pytest.mark.parametrize("length", [16, 64, 224])
@pytest.mark.parametrize("sigma", [9, 170.8])
def test_each_product_of_pieces_is_exact(length, sigma):
    """Sums of whole numbers below 2^53 are exact in float64 in any order; these are held against integers."""
    upper, lower, _ = pieces(length, sigma, CPU)
    largest = 2.0**VALUE_BITS
    assert (upper.abs().sum(0) * largest).max() < 2**53
    assert (lower.abs().sum(0) * largest).max() < 2**53
    values = torch.from_numpy(np.random.default_rng(0).integers(-(2**VALUE_BITS), 2**VALUE_BITS + 1, (3, length)))
    values[0] = 2**VALUE_BITS
    for part in (upper, lower):
        assert torch.equal(part, part.round())
        exact = values.numpy() @ part.numpy().astype(np.int64)
        np.testing.assert_array_equal(torch.matmul(values.double(), part).numpy().astype(np.int64), exact)


@pytest.mark.parametrize("sigma", [9, 170.8])
def test_pieces_are_the_matrix(sigma):
    matrix = smoothing_matrix(64, sigma)
    np.testing.assert_allclose(matrix.sum(1), 1, rtol=1e-14)
    upper, lower, unit = pieces(64, sigma, CPU)
    np.testing.assert_allclose(upper.T * 2.0**-WEIGHT_BITS + lower.T / unit, matrix, rtol=0, atol=1 / unit)
    unit_vectors = torch.eye(64, dtype=torch.float64)[None]
    np.testing.assert_allclose(times(unit_vectors, *pieces(64, sigma, CPU))[0], matrix.T, rtol=0, atol=1e-15)
