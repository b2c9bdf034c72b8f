"""Numbers of one layer's features, one of each kind for each image. Their names are those of
`lst_robust.analysis.features.MEASURES`, where each is explained.

Hoyer sparsity: Hoyer, "Non-negative Matrix Factorization with Sparseness Constraints", JMLR 2004. Independent normal
values have 1 - sqrt(2/pi) = 0.20, and Laplacian ones 1 - sqrt(1/2) = 0.29, where there are many of them.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from lst_robust.analysis.features import BAND
from lst_robust.models.lst.transforms import dct_basis

SMALL = 0.1  # of the RMS
BAND_ENDS = {"energy_low": 0.25, "energy_mid": 0.5, "energy_high": math.inf}  # of the Nyquist frequency, upper ends


def layer_scores(features: Tensor, bands: int, threshold: float) -> dict[str, Tensor]:
    """Measures of features (n, channels, H, W), each (n,) float64.

    bands: a², where the channels are the k-major bands of a T_s (channel k·c + j is band k of feature j), else 0.
    """
    x = features.float().contiguous()
    amplitudes, values = x.abs(), x[0].numel()
    # of each channel, (n, channels): most measures need no more
    l1, energy = amplitudes.flatten(2).sum(2), x.square().flatten(2).sum(2)
    total = energy.sum(1)
    rms = (total / values).sqrt()
    scores = {
        "hoyer": hoyer(l1.sum(1), total, values),
        "hoyer_channels": hoyer(l1, energy, values // x.shape[1]).mean(1),
        "small_relative": (amplitudes <= SMALL * rms[:, None, None, None]).float().flatten(1).mean(1),
        "small": (amplitudes < threshold).float().flatten(1).mean(1),
        "amplitude": l1.sum(1) / values,
    }
    scores |= frequency_shares(x)
    if bands:
        a = math.isqrt(bands)
        shares = _shares(energy.unflatten(1, (bands, -1)).sum(2))
        # filter number v + a*h, see `dct_filters`
        scores |= {BAND.format(k % a, k // a): shares[:, k] for k in range(bands)}
    return {name: score.double() for name, score in scores.items()}


def change_scores(clean: Tensor, corrupted: Tensor) -> dict[str, Tensor]:
    """How far a corruption moves the features of each image, both (n, channels, H, W): (n,) float64 each.

    Where the clean features are all zero, the cosine is 0, and the distance is 0 if nothing moves, else 1.
    """
    a, b = clean.flatten(1).float(), corrupted.flatten(1).float()
    distance, length = (b - a).norm(dim=1).double(), a.norm(dim=1).double()
    return {
        "cosine": torch.nn.functional.cosine_similarity(a, b).double(),
        "distance": torch.where(length == 0, (distance > 0).double(), distance / length),
    }


def hoyer(l1: Tensor, energy: Tensor, n: int) -> Tensor:
    """Hoyer sparsity of n values each, from the sums of |x| and of x²: from 0, all alike, to 1, one alone is not zero.

    Zeros alone count as 1, because nothing can be sparser, and a single value that is not zero as 0.
    """
    if n == 1:
        return (energy == 0).to(l1.dtype)
    sparsity = (math.sqrt(n) - l1 / energy.sqrt()) / (math.sqrt(n) - 1)
    return torch.where(energy == 0, 1.0, sparsity.clamp(0, 1))


def frequency_shares(x: Tensor) -> dict[str, Tensor]:
    """Shares of the energy of maps (n, channels, H, W) by radial frequency, all channels together: (n,) each.

    The maps go through the orthonormal 2D-DCT. Coefficient (u, v) has the frequency sqrt((u/H)² + (v/W)²), where 1 is
    the Nyquist frequency. The coefficient (0, 0), a map's mean, is counted by itself.
    """
    height, width = x.shape[2:]
    rows, columns = (_dct(side).to(x.device) for side in (height, width))
    energy = (rows @ x @ columns.T).square().sum(1).flatten(1)
    shares = _shares(energy @ _rings(height, width).to(x.device))
    return dict(zip(("energy_mean", *BAND_ENDS), shares.T, strict=True))


@cache
def _dct(side: int) -> Tensor:
    """The orthonormal DCT-II, row u of frequency u: float32 (side, side)."""
    return dct_basis(side, side).T.contiguous()


@cache
def _rings(height: int, width: int) -> Tensor:
    """Which coefficients belong to the mean and to each band: float32 (height · width, 4)."""
    u, v = torch.arange(height)[:, None] / height, torch.arange(width)[None, :] / width
    radius = (u.square() + v.square()).sqrt().flatten()
    ends = torch.tensor([0.0, *BAND_ENDS.values()])
    return torch.nn.functional.one_hot(torch.bucketize(radius, ends), len(ends)).float()


def _shares(energies: Tensor) -> Tensor:
    """(n, k) as shares of their sums; where there is no energy at all, shares of 0."""
    total = energies.sum(1, keepdim=True)
    return torch.where(total == 0, 0.0, energies / total)
