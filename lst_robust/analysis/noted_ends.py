"""The ends of intervals that an earlier call has computed, see `lst_robust.records.index`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache

import numpy as np

from lst_robust.analysis import statistics
from lst_robust.analysis.metrics import METRICS
from lst_robust.analysis.quantities import QUANTITIES
from lst_robust.analysis.scores import cell_weights
from lst_robust.benchmark import Cell, known_corruptions
from lst_robust.records.indexed import IndexedRecords
from lst_robust.records.record import Record
from lst_robust.suites import Normaliser

NamedEnds = dict[str, tuple[float, float]]


def noted_ends(
    trainings: Sequence[Mapping[Cell, Record]],
    normaliser: Normaliser | None,
    names: Collection[str],
    computed: Callable[[], NamedEnds],
) -> NamedEnds:
    """What `computed` gives: lower and upper end by the name of a score. It is asked only where the index does not know
    the same scores of the same outcomes. trainings, normaliser, names: what it follows from."""
    indexed = [records for records in trainings if isinstance(records, IndexedRecords)]
    if len(indexed) < len(trainings) or not indexed:
        return computed()
    weights = [_weights(tuple(records), _Same(normaliser), frozenset(names), _registered()) for records in indexed]
    said = [(records.entry.outcomes, digest) for records, (_, digest) in zip(indexed, weights, strict=True)]
    constants = statistics.RESAMPLES, statistics.CONFIDENCE, statistics.SEED, statistics.DIGITS
    key = hashlib.sha256(json.dumps([said, constants, np.__version__]).encode()).hexdigest()[:32]
    first, order = indexed[0], weights[0][0]
    if (ends := _usable(first.entry.ends.get(key), len(order))) is not None:
        return dict(zip(order, ends, strict=True))
    found = computed()
    first.index.add_ends(first.entry, key, [list(found[name]) for name in order])
    return found


def _usable(ends: object, count: int) -> list[tuple[float, float]] | None:
    """Noted ends, if they are pairs of numbers and as many as expected."""
    if not isinstance(ends, list) or len(ends) != count:
        return None
    if not all(isinstance(pair, list) and [type(end) for end in pair] == [float, float] for pair in ends):
        return None
    return [(low, high) for low, high in ends]


class _Same:
    """A normaliser that is the same as another only where it is the same object: a key that costs nothing."""

    def __init__(self, normaliser: Normaliser | None) -> None:
        self.normaliser = normaliser

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.normaliser is self.normaliser

    def __hash__(self) -> int:
        return id(self.normaliser)


def _registered() -> tuple[object, ...]:
    """What decides scores besides the cells and the normaliser, and can change in a process."""
    return tuple(METRICS.values()), tuple(QUANTITIES), known_corruptions()


@lru_cache(maxsize=64)
def _weights(
    cells: tuple[Cell, ...], normaliser: _Same, names: frozenset[str], registered: tuple[object, ...]
) -> tuple[tuple[str, ...], str]:
    """The names of the scores in their order, and a hash of all weights."""
    found = {name: weights for name, weights in cell_weights(list(cells), normaliser.normaliser).items()}
    chosen = tuple(name for name in found if name in names)
    digest = hashlib.sha256(json.dumps([chosen, [cell.name for cell in cells]]).encode())
    for name in chosen:
        digest.update(np.ascontiguousarray(found[name], dtype=np.float64).tobytes())
    return chosen, digest.hexdigest()
