"""Intervals, p-values and spreads of means over images. All is seeded: a second call gives the same numbers.

Every metric of a run is a mean over its images of a score (see `lst_robust.analysis.scores`), so one resampling of
the images serves all metrics and all cells at once: counts of the drawn images (resamples, n) times scores (n, k).

An interval says how far the number may lie from the one of all images of this kind. It knows nothing of other training
seeds (see `spread`), and takes the normaliser's errors as given, without their own sampling error.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

RESAMPLES = 2000  # the ends of a 95 % interval are then good to about a tenth of its width
FLIPS = 9999  # the smallest p-value is 1 in 10,000, small enough to stand for 19 corruptions after Holm's correction
CONFIDENCE = 0.95
LEVEL = 0.05  # a difference is stated where p is below
SEED = 0
TIE = 1e-10  # means that differ by less, as a share of the largest score, are equal
DIGITS = 6  # to which ends are rounded, so that they do not depend on the order of summation
CHUNK_BYTES = 64_000_000  # of counts or signs held at once, whatever the number of images
SHARED_BYTES = 200_000_000  # of counts that are kept for further networks: 12,500 images


class Spread(NamedTuple):
    """Mean and standard deviation (n - 1) over training seeds; low, high: the mean's 95 % interval over trainings. In
    the unit of the values."""

    mean: float
    std: float
    n: int
    low: float
    high: float


class SharedDraws:
    """The drawings of `resampled_means`, kept for a further call with as many images. They take half of the time of one
    network's intervals. Threads may share them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key: tuple[int, int, int] | None = None
        self._counts: list[np.ndarray] = []

    def chunks(self, n: int, resamples: int, seed: int) -> Iterable[np.ndarray]:
        """As `_drawings`."""
        if 8 * n * resamples > SHARED_BYTES:
            return _drawings(n, resamples, seed)
        with self._lock:
            if self._key != (n, resamples, seed):
                self._counts = list(_drawings(n, resamples, seed))
                self._key = n, resamples, seed
            return self._counts


def intervals(
    scores: np.ndarray,
    *,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    draws: SharedDraws | None = None,
) -> np.ndarray:
    """Bootstrap intervals of the means of `scores` over images: float64 (n, k) -> (k, 2), lower and upper ends.

    The images are resampled as wholes, so the k columns keep the dependence they have by sharing images. The ends are
    bias-corrected and accelerated (BCa: Efron, "Better Bootstrap Confidence Intervals", JASA 1987; the acceleration of
    a mean is its scores' skewness / (6 √n)), because scores of rare errors are skewed: where 2 % of 500 images are
    wrong, 95 % intervals hold the truth in 95 % of trials, percentiles in 93 %. Where all scores are equal the interval
    is that point: n images without an error do not show an error rate below 3/n (rule of three).

    draws: to be shared by calls for many networks. The numbers are the same.
    """
    drawn = resampled_means(scores, resamples=resamples, draws=draws)
    return _ends(scores, drawn, confidence)


def intervals_together(
    scores: Sequence[np.ndarray], *, resamples: int = RESAMPLES, draws: SharedDraws | None = None
) -> list[np.ndarray]:
    """`intervals` of several networks with as many images each, in two thirds of the time: the product with the counts
    is one, which is read from memory once. The numbers are the same: a column of a product of matrices does not depend
    on the columns beside it. (A product with one column is another operation, so such scores are taken alone.)"""
    if len(scores) == 1 or any(one.shape[1] == 1 for one in scores):
        return [intervals(one, resamples=resamples, draws=draws) for one in scores]
    drawn = resampled_means(np.concatenate(scores, axis=1), resamples=resamples, draws=draws)
    ends = np.cumsum([one.shape[1] for one in scores])[:-1]
    return [_ends(one, part, CONFIDENCE) for one, part in zip(scores, np.split(drawn, ends, axis=1), strict=True)]


def _ends(scores: np.ndarray, drawn: np.ndarray, confidence: float) -> np.ndarray:
    """The BCa ends of each column, from its means over the drawings: (n, k) and (resamples, k) -> (k, 2)."""
    means = scores.mean(axis=0)
    same = TIE * np.abs(scores).max(axis=0)  # the last bits of equal means depend on how the product was computed
    below = (drawn < means - same).mean(axis=0) / 2 + (drawn <= means + same).mean(axis=0) / 2
    deviations = scores - means
    squares = (deviations**2).sum(axis=0)
    ends = np.stack([means, means], axis=1)
    columns = np.flatnonzero((squares > 1e-12) & (below > 0) & (below < 1))
    if not len(columns):
        return ends.round(DIGITS)
    chosen = np.ascontiguousarray(deviations[:, columns].T)
    thirds = (chosen * chosen * chosen).sum(axis=1)  # a power of three takes a hundred times as long
    acceleration = (thirds / (6 * np.array([square**1.5 for square in squares[columns]])))[:, None]
    bias = ndtri(below[columns])[:, None]
    shifted = bias + ndtri([(1 - confidence) / 2, (1 + confidence) / 2])
    ends[columns] = _quantiles(drawn[:, columns], ndtr(bias + shifted / (1 - acceleration * shifted)))
    return ends.round(DIGITS)


def _quantiles(values: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """`np.quantile` of each column at its own fractions, to the last bit: (m, k) and (k, q) -> (k, q)."""
    ordered = np.sort(np.ascontiguousarray(values.T), axis=1)
    places = (ordered.shape[1] - 1) * fractions
    lower = np.clip(np.floor(places).astype(np.int64), 0, ordered.shape[1] - 1)
    upper = np.minimum(lower + 1, ordered.shape[1] - 1)
    first, second = np.take_along_axis(ordered, lower, axis=1), np.take_along_axis(ordered, upper, axis=1)
    between, step = places - lower, second - first
    return np.where(between < 0.5, first + step * between, second - step * (1 - between))


def paired_intervals(
    differences: np.ndarray, *, confidence: float = CONFIDENCE, resamples: int = RESAMPLES
) -> np.ndarray:
    """Bootstrap intervals of mean differences a - b of each image: float64 (n, k) -> (k, 2), lower and upper ends.

    Percentiles, without the correction of `intervals`: if the models are alike, differences are symmetric, not skewed,
    and correcting the skewness that a few images show by chance excludes zero too often (where the models differ on 5
    of 500 images, in 10 % of trials instead of 5 %).
    """
    drawn = resampled_means(differences, resamples=resamples)
    return np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0).T.round(DIGITS)


def resampled_means(
    scores: np.ndarray, *, resamples: int = RESAMPLES, seed: int = SEED, draws: SharedDraws | None = None
) -> np.ndarray:
    """Means of `scores`, float64 (n, k), over `resamples` drawings of n images with replacement: (resamples, k).

    Two calls with the same n draw the same images. draws: see `intervals`.
    """
    n = len(scores)
    drawings = _drawings(n, resamples, seed) if draws is None else draws.chunks(n, resamples, seed)
    return np.concatenate([counts @ scores for counts in drawings]) / n


def _drawings(n: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each image is drawn, float64 (rows, n), in chunks, until there were `resamples` rows."""
    generator = np.random.default_rng(seed)
    for rows in _chunks(resamples, n):
        counts = np.empty((rows, n))
        for row in range(rows):
            counts[row] = np.bincount(generator.integers(n, size=n), minlength=n)
        yield counts


def paired_p_values(differences: np.ndarray, *, flips: int = FLIPS, seed: int = SEED) -> np.ndarray:
    """Two-sided p-values that two models have the same mean score: differences a - b of each image, (n, k) -> (k,).

    A randomisation test: if the models were interchangeable, a and b of an image could be swapped, which flips the sign
    of its difference (all its columns together). p = (1 + flips whose |mean| reaches the observed) / (1 + flips):
    Noreen, "Computer-Intensive Methods for Testing Hypotheses", 1989; the added ones: Phipson & Smyth, "Permutation
    P-values Should Never Be Zero", 2010. For one cell this is McNemar's exact test, by simulation. Chosen over a
    bootstrap p-value because it is exact under its hypothesis at any n and any error rate; where only a handful of
    images differ it is the more careful one of the two, and an interval that excludes zero may stand beside p > 0.05.
    """
    differences = differences[differences.any(axis=1)]  # a flip does nothing to an image that the models agree on
    n = len(differences)
    observed = np.abs(differences.sum(axis=0))
    reached = np.ones(differences.shape[1])
    generator = np.random.default_rng(seed)
    for rows in _chunks(flips, n):
        bits = np.frombuffer(generator.bytes(rows * ((n + 7) // 8)), dtype=np.uint8).reshape(rows, -1)
        signs = np.unpackbits(bits, axis=1, count=n).astype(np.float64) * 2 - 1
        reached += (np.abs(signs @ differences) >= observed * (1 - 1e-9) - 1e-9).sum(axis=0)
    return reached / (flips + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values of one family, corrected so that the chance of any false finding stays below the level (Holm, "A Simple
    Sequentially Rejective Multiple Test Procedure", 1979)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1)
    return corrected.tolist()


def spread(values: Sequence[float]) -> Spread | None:
    """Of one value a training seed; None for fewer than two. The interval is Student's: few trainings make it wide."""
    n = len(values)
    if n < 2:
        return None
    mean, std = fmean(values), stdev(values)
    reach = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * std / n**0.5
    return Spread(mean, std, n, mean - reach, mean + reach)


def _chunks(rows: int, n: int) -> Iterator[int]:
    """How many rows of n float64 to hold at once, until there were `rows`."""
    most = max(1, CHUNK_BYTES // (8 * max(n, 1)))
    for start in range(0, rows, most):
        yield min(most, rows - start)
