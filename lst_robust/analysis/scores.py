"""Every metric of a run as a mean over images.

Clean error, CE, mCE and relative mCE are linear in the cells' errors (the normaliser being fixed), and an error is the
mean over images of "wrong". So a metric is the mean of a score of each image: a weighted sum of its wrong cells. The
weights are what the formulas of the metrics give for unit vectors in place of errors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from lst_robust.analysis.metrics import image_metrics
from lst_robust.analysis.quantities import QUANTITIES, part
from lst_robust.benchmark import CLEAN, CORRUPTIONS, Cell, known_corruptions
from lst_robust.records.record import Record
from lst_robust.records.stored import StoredRecords
from lst_robust.suites import Normaliser

V = TypeVar("V")


class Scores(NamedTuple):
    """`values`: float64 (n, k), percent; column j is the score called names[j], and its mean over images the number."""

    names: tuple[str, ...]
    values: np.ndarray

    def means(self) -> dict[str, float]:
        return dict(zip(self.names, self.values.mean(axis=0).tolist(), strict=True))


def all_corruptions(names: Iterable[str]) -> tuple[str, ...]:
    """The 19 of the papers, then what else is among the names, in the order of the registration and of the alphabet."""
    order = {name: index for index, name in enumerate(known_corruptions())}
    further = {name for name in names if name not in CORRUPTIONS and name != CLEAN}
    return (*CORRUPTIONS, *sorted(further, key=lambda name: (order.get(name, len(order)), name)))


def by_corruption(quantity: str, values: Mapping[str, V]) -> dict[str, V]:
    """What there is of each corruption (see `part`), in the order of `all_corruptions`."""
    prefix = part(quantity, "")
    names = [name.removeprefix(prefix) for name in values if name.startswith(prefix)]
    return {name: values[prefix + name] for name in all_corruptions(names) if name in names}


def cell_weights(cells: Sequence[Cell], normaliser: Normaliser | None) -> dict[str, np.ndarray]:
    """For each metric and part (see `part`) that these cells define, float64 (cells,): number = weights · errors."""
    units: dict[Cell, np.ndarray] = dict(zip(cells, np.eye(len(cells)), strict=True))
    found = {metric.name: metric.of(units, normaliser) for metric in image_metrics()}
    for corruption in all_corruptions(cell.corruption for cell in cells):
        for name, quantity in QUANTITIES.items():
            if quantity.by_image:
                found[part(name, corruption)] = quantity.formula(units, corruption, normaliser)
    return {name: weights for name, weights in found.items() if weights is not None}


def image_scores(
    records: Mapping[Cell, Record], normaliser: Normaliser | None, names: Collection[str] | None = None
) -> Scores:
    """The scores of each image of a run, from its records; `names`: only these, where they are defined."""
    return weighted(wrong_images(records), normaliser, names)


def wrong_images(records: Mapping[Cell, Record]) -> dict[Cell, np.ndarray]:
    """Of each cell, bool (n,): which images were classified wrongly."""
    if isinstance(records, StoredRecords):
        return records.wrong()
    return {cell: ~record.correct_bits() for cell, record in records.items()}


def weighted(
    wrong: Mapping[Cell, np.ndarray], normaliser: Normaliser | None, names: Collection[str] | None = None
) -> Scores:
    """As `image_scores`, from what is wrong in each cell: bool (n,), the same images in the same order in all."""
    chosen, weights = chosen_weights(list(wrong), normaliser, names)
    if not chosen:
        return Scores((), np.empty((0, 0)))
    bits = np.stack(list(wrong.values()), axis=1).astype(np.float64)
    return Scores(chosen, bits @ weights)


def chosen_weights(
    cells: Sequence[Cell], normaliser: Normaliser | None, names: Collection[str] | None = None
) -> tuple[tuple[str, ...], np.ndarray]:
    """The names of the scores that these cells define, and float64 (cells, names): what a wrong image in each cell adds
    to its score, in percent."""
    weights = cell_weights(cells, normaliser)
    chosen = tuple(name for name in weights if names is None or name in names)
    return chosen, 100 * np.stack([weights[name] for name in chosen], axis=1) if chosen else np.empty((0, 0))


def mean_scores(trainings: Sequence[Scores]) -> Scores:
    """The mean score of each image over several runs, which have the same names."""
    if len(trainings) == 1:
        return trainings[0]
    return Scores(trainings[0].names, np.mean([scores.values for scores in trainings], axis=0))
