"""The measures on features whose scores are known."""

from __future__ import annotations

import math

import pytest
import torch

from lst_robust.features.measures import change_scores, frequency_shares, layer_scores
from lst_robust.features.measures import hoyer as hoyer_of_sums
from lst_robust.models.lst.transforms import SpatialTransform, dct_basis

torch.set_num_threads(1)


def hoyer(values: torch.Tensor) -> torch.Tensor:
    return hoyer_of_sums(values.abs().sum(1), values.square().sum(1), values.shape[1])


def test_hoyer_is_1_for_a_single_value_and_0_for_equal_ones() -> None:
    one_hot, equal, nothing = torch.zeros(3, 64)
    one_hot[5], equal[:] = -3.0, 2.5
    torch.testing.assert_close(hoyer(torch.stack([one_hot, equal, nothing]).abs()), torch.tensor([1.0, 0.0, 1.0]))


def test_hoyer_of_a_vector_by_hand() -> None:
    """(sqrt(4) - 7 / 5) / (sqrt(4) - 1) of (3, 4, 0, 0), and it does not see the scale."""
    values = torch.tensor([[3.0, 4.0, 0.0, 0.0]])
    assert hoyer(values).item() == pytest.approx(0.6)
    assert hoyer(1e-3 * values).item() == pytest.approx(0.6)


def test_hoyer_of_noise_is_what_the_docstring_says() -> None:
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(1, 10**6, generator=generator).abs()
    laplacian = -torch.log(torch.rand(1, 10**6, generator=generator))
    assert hoyer(normal).item() == pytest.approx(1 - math.sqrt(2 / math.pi), abs=2e-3)
    assert hoyer(laplacian).item() == pytest.approx(1 - math.sqrt(1 / 2), abs=2e-3)


def test_hoyer_of_one_value() -> None:
    assert hoyer(torch.tensor([[2.0], [0.0]])).tolist() == [0.0, 1.0]


def test_shares_of_small_values_and_amplitude_by_hand() -> None:
    features = torch.tensor([0.05, -0.05, 0.5, -1.0]).reshape(1, 1, 2, 2)
    scores = layer_scores(features, 0, 0.1)
    assert scores["small"].tolist() == [0.5]
    assert scores["amplitude"].item() == pytest.approx(0.4)
    rms = math.sqrt((2 * 0.05**2 + 0.25 + 1) / 4)  # 0.561, of which a tenth is above 0.05
    assert scores["small_relative"].tolist() == [0.5] and 0.1 * rms > 0.05
    assert all(score.dtype == torch.float64 for score in scores.values())


def test_only_two_measures_depend_on_the_scale() -> None:
    from lst_robust.analysis.features import measure_named

    features = torch.randn(3, 8, 6, 6, generator=torch.Generator().manual_seed(1))
    before, after = layer_scores(features, 4, 0.1), layer_scores(0.01 * features, 4, 0.1)
    changed = {name for name in before if not torch.allclose(before[name], after[name], rtol=1e-4)}
    assert changed == {name for name in before if not measure_named(name).scale_free} == {"small", "amplitude"}


def test_hoyer_by_channel_does_not_see_the_factor_of_a_channel() -> None:
    features = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    factors = torch.tensor([1.0, 10.0, 0.1, 3.0])[:, None, None]
    before, after = layer_scores(features, 0, 0.1), layer_scores(factors * features, 0, 0.1)
    torch.testing.assert_close(before["hoyer_channels"], after["hoyer_channels"])
    assert (after["hoyer"] - before["hoyer"]).min() > 0.1


@pytest.mark.parametrize(
    ("u", "v", "band"),
    [(0, 0, "energy_mean"), (1, 0, "energy_low"), (2, 0, "energy_low"), (2, 1, "energy_mid"), (0, 4, "energy_mid"),
     (5, 0, "energy_high"), (7, 7, "energy_high")],
)  # fmt: skip
def test_a_basis_image_of_the_dct_has_all_its_energy_in_its_band(u, v, band) -> None:
    basis = dct_basis(8, 8).T
    image = torch.outer(basis[u], basis[v])
    shares = frequency_shares(image[None, None].repeat(1, 3, 1, 1))
    assert {name: round(share.item(), 5) for name, share in shares.items()} == {
        name: float(name == band) for name in ("energy_mean", "energy_low", "energy_mid", "energy_high")
    }


def test_maps_need_not_be_square() -> None:
    shares = frequency_shares(torch.randn(2, 3, 4, 7))
    torch.testing.assert_close(sum(shares.values()), torch.ones(2))


def test_bands_are_k_major_and_named_by_their_frequencies() -> None:
    """Channel k·c + j is band k of feature j; filter number v + a·h has the vertical frequency v."""
    features = torch.zeros(1, 4 * 3, 2, 2)
    for k, level in enumerate((1.0, 2.0, 3.0, 4.0)):
        features[:, 3 * k : 3 * k + 3] = level
    scores = layer_scores(features, 4, 0.1)
    bands = {name: round(score.item() * 30) for name, score in scores.items() if name.startswith("band")}
    assert bands == {"band_v0_h0": 1, "band_v1_h0": 4, "band_v0_h1": 9, "band_v1_h1": 16}


def test_stripes_fall_into_the_band_of_their_direction() -> None:
    """Rows of alternating sign have a vertical frequency only."""
    transform = SpatialTransform(2, 2, 3, 1, shared=True)
    transform.reset_parameters(2, "dct")
    stripes = torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(4)[:, None].expand(16, 16)
    with torch.no_grad():
        inside = transform(stripes.expand(1, 2, 16, 16))[..., 1:-1, 1:-1]
    scores = layer_scores(inside, 4, 0.1)
    assert scores["band_v1_h0"].item() > 0.5
    assert scores["band_v0_h1"].item() < 1e-6 and scores["band_v1_h1"].item() < 1e-6


def test_nothing_but_zeros_has_scores_too() -> None:
    zeros = torch.zeros(2, 4, 3, 3)
    scores = layer_scores(zeros, 4, 0.1) | change_scores(zeros, zeros)
    assert all(torch.isfinite(score).all() for score in scores.values())
    assert scores["small"].tolist() == scores["hoyer"].tolist() == [1.0, 1.0]
    assert scores["distance"].tolist() == [0.0, 0.0]
    assert change_scores(zeros, zeros + 1)["distance"].tolist() == [1.0, 1.0]


def test_how_far_features_move_by_hand() -> None:
    clean = torch.tensor([3.0, 4.0, 0.0, 0.0]).reshape(1, 1, 2, 2)
    moved = torch.tensor([3.0, 0.0, 0.0, 0.0]).reshape(1, 1, 2, 2)
    scores = change_scores(clean, moved)
    assert scores["cosine"].item() == pytest.approx(0.6)
    assert scores["distance"].item() == pytest.approx(0.8)
    same = change_scores(clean, 2 * clean)
    assert same["cosine"].item() == pytest.approx(1) and same["distance"].item() == pytest.approx(1)
