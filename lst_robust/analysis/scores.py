"""Every metric of a run as a mean over images.

Clean error, CE, mCE and relative mCE are linear in the cells' errors (the normaliser being fixed), and an error is the
mean over images of "wrong". So a metric is the mean of a score of each image: a weighted sum of its wrong cells. The
definitions are those of `lst_robust.evaluation.metrics`, against which this is tested.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lst_robust.analysis import metrics
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, SEVERITIES, STANDARD_15, Cell
from lst_robust.records.record import Record
from lst_robust.suites import Normaliser

METRICS = ("clean_error", "mean_corruption_error", "mce15", "mce19", "relative_mce")
NORMALISED = ("mce15", "mce19", "relative_mce")
PARTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "clean_error": ("", ()),
    "mean_corruption_error": ("error", CORRUPTIONS),
    "mce15": ("ce", STANDARD_15),
    "mce19": ("ce", CORRUPTIONS),
    "relative_mce": ("relative_ce", STANDARD_15),
}
"""What each metric is a mean of: a quantity of each of these corruptions, the score `part(quantity, corruption)`."""


class Scores(NamedTuple):
    """`values`: float64 (n, k), percent; column j is the score called names[j], and its mean over images the number."""

    names: tuple[str, ...]
    values: np.ndarray

    def means(self) -> dict[str, float]:
        return dict(zip(self.names, self.values.mean(axis=0).tolist(), strict=True))


def part(quantity: str, corruption: str) -> str:
    """Name of one corruption's score: `error` (mean over the severities measured), `ce` or `relative_ce`."""
    return f"{quantity}.{corruption}"


def cell_weights(cells: Sequence[Cell], normaliser: Normaliser | None) -> dict[str, np.ndarray]:
    """For each metric and part that these cells define, float64 (cells,): metric = weights · errors of the cells."""
    cells = list(cells)
    unit = dict(zip(cells, np.eye(len(cells)), strict=True))
    weights: dict[str, np.ndarray] = {}
    if CLEAN_CELL in unit:
        weights["clean_error"] = unit[CLEAN_CELL]
    corrupted = [unit[cell] for cell in cells if cell != CLEAN_CELL]
    if corrupted:
        weights["mean_corruption_error"] = np.mean(corrupted, axis=0)
    for name in CORRUPTIONS:
        measured = [unit[Cell(name, severity)] for severity in SEVERITIES if Cell(name, severity) in unit]
        if measured:
            weights[part("error", name)] = np.mean(measured, axis=0)
        if normaliser is None or name not in normaliser.errors or len(measured) < len(SEVERITIES):
            continue
        total = np.sum(measured, axis=0)
        weights[part("ce", name)] = 100 * total / sum(normaliser.errors[name])
        rise = metrics.rise(normaliser, name)
        if rise > 0 and CLEAN_CELL in unit:
            weights[part("relative_ce", name)] = 100 * (total - len(SEVERITIES) * unit[CLEAN_CELL]) / rise
    for metric in NORMALISED:
        quantity, names = PARTS[metric]
        parts = [weights[part(quantity, name)] for name in names if part(quantity, name) in weights]
        if len(parts) == len(names):  # a partial mean would look like a whole
            weights[metric] = np.mean(parts, axis=0)
    return weights


def image_scores(
    records: Mapping[Cell, Record], normaliser: Normaliser | None, names: Collection[str] | None = None
) -> Scores:
    """The scores of each image of a run, from its records; `names`: only these, where they are defined."""
    return weighted({cell: ~record.correct_bits() for cell, record in records.items()}, normaliser, names)


def weighted(
    wrong: Mapping[Cell, np.ndarray], normaliser: Normaliser | None, names: Collection[str] | None = None
) -> Scores:
    """As `image_scores`, from what is wrong in each cell: bool (n,), the same images in the same order in all."""
    weights = cell_weights(list(wrong), normaliser)
    chosen = tuple(name for name in weights if names is None or name in names)
    if not chosen:
        return Scores((), np.empty((0, 0)))
    bits = np.stack(list(wrong.values()), axis=1).astype(np.float64)
    return Scores(chosen, bits @ (100 * np.stack([weights[name] for name in chosen], axis=1)))
