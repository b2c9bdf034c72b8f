"""Which classes a network takes for which, from the predictions in its records.

Records hold no labels. But where a network was right, its prediction is the label: so the label of an image is known as
soon as one of the networks on these images was right about it in one cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lst_robust.benchmark import Cell
from lst_robust.records.record import Record

UNKNOWN = -1


class Confusion(NamedTuple):
    """Images of the class `true` that were taken for `predicted`: `times` of the `of` answers about that class, all
    cells together."""

    true: int
    predicted: int
    times: int
    of: int


def known_labels(runs: Iterable[Mapping[Cell, Record]]) -> np.ndarray | None:
    """int64 (n,): the label of each image, UNKNOWN where all networks were wrong in all cells. None where no record
    holds predictions. runs: of networks that were measured on the same images."""
    labels = None
    for records in runs:
        for record in records.values():
            predicted = record.predicted_classes()
            if predicted is None:
                continue
            labels = np.full(len(predicted), UNKNOWN) if labels is None else labels
            correct = record.correct_bits()
            labels[correct] = predicted[correct]
    return labels


def confusions(records: Sequence[Record], labels: np.ndarray) -> list[Confusion]:
    """The confusions in these cells together, the most frequent first, then by class. labels: int64 (n,), see
    `known_labels`; images whose label is unknown, and records without predictions, count for nothing."""
    predicted = [classes for record in records if (classes := record.predicted_classes()) is not None]
    known = labels != UNKNOWN
    if not predicted or not known.any():
        return []
    said = np.stack(predicted)[:, known]
    true = np.broadcast_to(labels[known], said.shape)
    wrong = said != true
    pairs, counts = np.unique(np.stack([true[wrong], said[wrong]]), axis=1, return_counts=True)
    of_class = dict(zip(*np.unique(true, return_counts=True), strict=True))
    listed = [
        Confusion(int(one), int(other), int(count), int(of_class[one]))
        for (one, other), count in zip(pairs.T, counts, strict=True)
    ]
    return sorted(listed, key=lambda confusion: (-confusion.times, confusion.true, confusion.predicted))
