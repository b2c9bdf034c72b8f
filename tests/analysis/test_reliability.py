"""What a reliability diagram is made of."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.analysis.reliability import clean_and_corrupted, pooled
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.records.confidence import Calibration, Outcomes
from lst_robust.records.record import make_record
from tests.analysis.simulated import PROVENANCE, measured

RUN = measured("a", {CLEAN_CELL: np.zeros(4, dtype=bool)}).run
FOG = Cell("fog", 1)


def outcomes(confidence: list[float], correct: list[bool]) -> Outcomes:
    return Outcomes(np.array(correct), None, np.array(confidence), np.array([0.1, 0.2, 0.3, 0.4]))


SAID = {
    CLEAN_CELL: outcomes([0.95, 0.97, 0.55, 0.5], [True, True, True, False]),
    FOG: outcomes([0.95, 0.55, 0.55, 0.5], [False, False, True, False]),
}
RECORDS = {cell: make_record(RUN, cell, said, PROVENANCE) for cell, said in SAID.items()}


def test_cells_together_are_as_one_cell_of_all_images():
    found, whole = pooled(RECORDS.values()), Calibration.of(Outcomes.concatenated(list(SAID.values())))
    assert (found.count, found.correct) == (whole.count, whole.correct)
    assert found.confidence == pytest.approx(whole.confidence) and found.brier == pytest.approx(whole.brier)
    assert found.ece() == pytest.approx(whole.ece())


def test_all_trainings_clean_and_corrupted():
    clean, corrupted = clean_and_corrupted([RECORDS, {CLEAN_CELL: RECORDS[CLEAN_CELL]}])
    assert sum(clean.count) == 8 and sum(corrupted.count) == 4
    assert corrupted.ece() == pytest.approx(RECORDS[FOG].calibration.ece())


def test_without_calibration_there_is_none():
    assert pooled([]) is None
    assert pooled([*RECORDS.values(), RECORDS[FOG].model_copy(update={"calibration": None})]) is None
