"""The ends of intervals that an earlier call has computed, see `lst_robust.records.index`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from lst_robust.analysis import statistics
from lst_robust.analysis.metrics import METRICS
from lst_robust.analysis.quantities import QUANTITIES
from lst_robust.analysis.scores import Scores, cell_weights, chosen_weights, mean_scores
from lst_robust.benchmark import Cell, known_corruptions
from lst_robust.records.indexed import IndexedRecords
from lst_robust.records.record import Record
from lst_robust.runtime.cores import available_cores
from lst_robust.runtime.interruption import check_interrupted
from lst_robust.runtime.threads import in_threads, one_thread_a_product
from lst_robust.suites import Normaliser

NamedEnds = dict[str, tuple[float, float]]
TOGETHER = 8  # networks: more gain nothing, and take 1 MB each


def noted_ends(
    trainings: Sequence[Mapping[Cell, Record]],
    normaliser: Normaliser | None,
    names: Collection[str],
    computed: Callable[[], NamedEnds],
) -> NamedEnds:
    """What `computed` gives: lower and upper end by the name of a score. It is asked only where the index does not know
    the same scores of the same outcomes. trainings, normaliser, names: what it follows from."""
    place = _place(trainings, normaliser, names)
    if place is None:
        return computed()
    if (ends := place.ends()) is not None:
        return dict(zip(place.names, ends, strict=True))
    found = computed()
    place.note([list(found[name]) for name in place.names])
    return found


class Wanted(NamedTuple):
    """Trainings of one network whose ends are needed, see `noted_ends`."""

    trainings: Sequence[Mapping[Cell, Record]]
    normaliser: Normaliser | None
    names: Collection[str]


def note_together(wanted: Sequence[Wanted], draws: statistics.SharedDraws) -> None:
    """Notes the ends of many networks that the index does not know yet: those that `computed` would give. The products
    of several networks are computed as one, and by all cores."""
    batches: dict[int, list[_Place]] = {}
    for one in wanted:
        place = _place(*one)
        if place is not None and place.names and place.ends() is None:
            batches.setdefault(place.images, []).append(place)
    parts = [part for places in batches.values() for part in _parts(places)]
    if not parts:
        return

    def note(places: Sequence[_Place]) -> None:
        check_interrupted()
        found = statistics.intervals_together([place.scores() for place in places], draws=draws)
        for place, ends in zip(places, found, strict=True):
            place.note(ends.tolist())

    with one_thread_a_product():
        in_threads(note, parts)


def _parts(places: Sequence[_Place]) -> list[Sequence[_Place]]:
    """Some networks each, for every core about as many."""
    size = min(TOGETHER, -(-len(places) // available_cores()))
    return [places[start : start + size] for start in range(0, len(places), size)]


class _Place(NamedTuple):
    """Where the ends of one network are noted. names: of the scores, in the order of the ends."""

    trainings: Sequence[IndexedRecords]
    weights: Sequence[np.ndarray]
    names: tuple[str, ...]
    key: str

    @property
    def images(self) -> int:
        return self.trainings[0].entry.run.protocol.n

    def ends(self) -> list[tuple[float, float]] | None:
        return _usable(self.trainings[0].entry.ends.get(self.key), len(self.names))

    def note(self, ends: list[list[float]]) -> None:
        first = self.trainings[0]
        first.index.add_ends(first.entry, self.key, ends)

    def scores(self) -> np.ndarray:
        """float64 (n, names): as `image_scores`, of several trainings their mean."""
        found = [
            Scores(self.names, records.wrong_bits().astype(np.float64).T @ weights)
            for records, weights in zip(self.trainings, self.weights, strict=True)
        ]
        return mean_scores(found).values


def _place(
    trainings: Sequence[Mapping[Cell, Record]], normaliser: Normaliser | None, names: Collection[str]
) -> _Place | None:
    """None where the ends cannot be noted, because not all records come from an index."""
    indexed = [records for records in trainings if isinstance(records, IndexedRecords)]
    if len(indexed) < len(trainings) or not indexed:
        return None
    weights = [_weights(tuple(records), _Same(normaliser), frozenset(names), _registered()) for records in indexed]
    said = [(records.entry.outcomes, one.digest) for records, one in zip(indexed, weights, strict=True)]
    constants = statistics.RESAMPLES, statistics.CONFIDENCE, statistics.SEED, statistics.DIGITS, statistics.TIE
    key = hashlib.sha256(json.dumps([said, constants, np.__version__]).encode()).hexdigest()[:32]
    return _Place(indexed, [one.matrix for one in weights], weights[0].names, key)


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


class _Weights(NamedTuple):
    """The names of the scores in their order, the weights (cells, names) in percent, and a hash of all of this."""

    names: tuple[str, ...]
    matrix: np.ndarray
    digest: str


@lru_cache(maxsize=64)
def _weights(
    cells: tuple[Cell, ...], normaliser: _Same, names: frozenset[str], registered: tuple[object, ...]
) -> _Weights:
    found = cell_weights(list(cells), normaliser.normaliser)
    chosen, matrix = chosen_weights(list(cells), normaliser.normaliser, names)
    digest = hashlib.sha256(json.dumps([chosen, [cell.name for cell in cells]]).encode())
    for name in chosen:
        digest.update(np.ascontiguousarray(found[name], dtype=np.float64).tobytes())
    return _Weights(chosen, matrix, digest.hexdigest())
