"""Labels and confusions from predictions alone."""

from __future__ import annotations

import numpy as np

from lst_robust.analysis.confusions import UNKNOWN, Confusion, confusions, known_labels
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.records.confidence import Outcomes
from lst_robust.records.record import make_record
from tests.analysis.simulated import PROVENANCE, measured

LABELS = np.array([0, 0, 1, 2])
RUN = measured("a", {CLEAN_CELL: np.zeros(4, dtype=bool)}).run
SURE = np.full(4, 0.5)


def record(cell: Cell, predicted: list[int] | None):
    said = None if predicted is None else np.array(predicted)
    correct = np.zeros(4, dtype=bool) if said is None else said == LABELS
    return make_record(RUN, cell, Outcomes(correct, None, SURE, SURE, said), PROVENANCE)


CLEAN, FOG = record(CLEAN_CELL, [0, 1, 1, 1]), record(Cell("fog", 1), [1, 1, 0, 1])


def test_a_label_is_known_once_any_network_was_right():
    assert known_labels([{CLEAN_CELL: CLEAN, Cell("fog", 1): FOG}]).tolist() == [0, UNKNOWN, 1, UNKNOWN]
    other = record(CLEAN_CELL, [2, 0, 2, 0])
    assert known_labels([{CLEAN_CELL: CLEAN}, {CLEAN_CELL: other}]).tolist() == [0, 0, 1, UNKNOWN]
    assert known_labels([{CLEAN_CELL: record(CLEAN_CELL, None)}]) is None


def test_confusions_are_counted_over_the_cells():
    found = confusions([CLEAN, FOG], LABELS)
    assert found[0] == Confusion(true=0, predicted=1, times=3, of=4)
    assert Confusion(2, 1, 2, 2) in found and Confusion(1, 0, 1, 2) in found and len(found) == 3


def test_images_of_unknown_labels_count_for_nothing():
    assert confusions([FOG], np.array([0, UNKNOWN, 1, UNKNOWN])) == [Confusion(0, 1, 1, 1), Confusion(1, 0, 1, 1)]
    assert confusions([FOG], np.full(4, UNKNOWN)) == [] == confusions([record(CLEAN_CELL, None)], LABELS)
