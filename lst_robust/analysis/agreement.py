"""Error consistency: do two networks fail on the same images, beyond what their accuracies alone make likely?

Cohen's kappa of correct and wrong (Geirhos, Meding, Wichmann, "Beyond accuracy: quantifying trial-by-trial behaviour of
CNNs and humans by measuring error consistency", NeurIPS 2020). With accuracies p and q of two networks in one cell:

    observed = share of images on which both are right or both are wrong
    expected = p q + (1 - p) (1 - q)
    kappa    = (observed - expected) / (1 - expected)

1: the same errors; 0: as by chance; below 0: they fail on different images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.records.record import Record


class Agreement(NamedTuple):
    """Kappa between k networks, float64 (k, k) each; NaN where it is not defined. `clean`: on the clean images;
    `corrupted`: the mean over the corrupted cells that all have. Between networks of several trainings it is the mean
    over the pairs of trainings, and on the diagonal over the pairs of different ones: NaN for a single training."""

    clean: np.ndarray
    corrupted: np.ndarray
    cells: int


def kappas(correct: np.ndarray) -> np.ndarray:
    """Of r runs with one another in one cell: bool (r, n) -> float64 (r, r). NaN where chance alone explains all,
    because both runs are always right or always wrong."""
    right = correct.astype(np.float64)
    n, accuracy = right.shape[1], right.mean(axis=1)
    both_right = right @ right.T / n
    observed = 1 - accuracy[:, None] - accuracy[None, :] + 2 * both_right
    expected = np.outer(accuracy, accuracy) + np.outer(1 - accuracy, 1 - accuracy)
    rest = 1 - expected
    return np.divide(observed - expected, rest, out=np.full_like(rest, np.nan), where=rest > 1e-12)


def agreement(networks: Sequence[Sequence[Mapping[Cell, Record]]]) -> Agreement:
    """networks: of each the records of its trainings, all measured on the same images."""
    runs = [records for trainings in networks for records in trainings]
    owner = np.repeat(np.arange(len(networks)), [len(trainings) for trainings in networks])
    common = set.intersection(*(set(records) for records in runs))
    of_cells = {cell: kappas(np.stack([run[cell].correct_bits() for run in runs])) for cell in sorted(common)}
    corrupted = [values for cell, values in of_cells.items() if cell != CLEAN_CELL]
    clean = of_cells.get(CLEAN_CELL, np.full((len(runs), len(runs)), np.nan))
    return Agreement(
        _by_network(clean, owner),
        _by_network(_mean(np.stack(corrupted)) if corrupted else np.full_like(clean, np.nan), owner),
        len(corrupted),
    )


def _by_network(values: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Means over the pairs of different runs: (r, r) -> (k, k)."""
    others = np.where(np.eye(len(values), dtype=bool), np.nan, values)
    blocks = [[others[np.ix_(owner == a, owner == b)] for b in np.unique(owner)] for a in np.unique(owner)]
    return np.array([[_mean(block.reshape(-1)) for block in row] for row in blocks])


def _mean(values: np.ndarray) -> np.ndarray:
    """Over the first axis, of what is defined; NaN where nothing is."""
    defined = ~np.isnan(values)
    total, count = np.where(defined, values, 0).sum(axis=0), defined.sum(axis=0)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)
