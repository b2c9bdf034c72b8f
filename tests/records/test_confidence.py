"""Top-5 error, ECE and Brier score of outcomes, against closed forms and a second formulation."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError

from lst_robust.records.confidence import BINS, Calibration, Outcomes


def test_ece_of_a_network_that_is_right_as_often_as_it_says_is_0():
    correct = np.arange(100) < 80
    even = Outcomes(correct, None, np.full(100, 0.8), np.zeros(100))
    assert Calibration.of(even).ece() == pytest.approx(0, abs=1e-9)
    sure = Outcomes(correct, None, np.ones(100), np.zeros(100))
    assert Calibration.of(sure).ece() == pytest.approx(20)


def test_ece_against_a_loop_over_the_bins():
    rng = np.random.default_rng(1)
    confidence, correct = rng.uniform(0.1, 1, 1000), rng.random(1000) < 0.6
    expected = 0.0
    for b in range(BINS):
        inside = (confidence > b / BINS) & (confidence <= (b + 1) / BINS)
        if inside.any():
            expected += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    found = Calibration.of(Outcomes(correct, None, confidence, np.zeros(1000)))
    assert sum(found.count) == 1000
    assert found.ece() == pytest.approx(100 * expected, abs=1e-6)


@pytest.mark.parametrize("change", [{"correct": 3}, {"confidence": 2.5}, {"count": -1}])
def test_impossible_bins_are_refused(change):
    bins = {"count": 2, "correct": 1, "confidence": 1.0} | change
    with pytest.raises(ValidationError):
        Calibration(**{name: (value,) + (0,) * (BINS - 1) for name, value in bins.items()}, brier=0.5)


def test_top5_error_counts_the_images_whose_label_is_not_among_five():
    in_top5 = np.array([False, False, True, True, True, True, True])
    outcomes = Outcomes(np.arange(7) == 6, in_top5, np.full(7, 0.5), np.zeros(7))
    assert outcomes.top5_error() == pytest.approx(100 * 2 / 7)
    assert outcomes._replace(in_top5=None).top5_error() is None


def test_batches_are_joined_in_their_order():
    first = Outcomes(
        np.array([True, False]), np.array([True, True]), np.array([0.5, 0.6]), np.array([0.1, 0.2]), np.array([3, 1])
    )
    second = Outcomes(np.array([False]), np.array([False]), np.array([0.7]), np.array([0.3]), np.array([2]))
    joined = Outcomes.concatenated([first, second])
    assert joined.correct.tolist() == [True, False, False]
    assert joined.in_top5.tolist() == [True, True, False]
    assert joined.confidence.tolist() == [0.5, 0.6, 0.7]
    assert joined.brier.tolist() == [0.1, 0.2, 0.3]
    assert joined.predicted.tolist() == [3, 1, 2]
    few_classes = [part._replace(in_top5=None, predicted=None) for part in (first, second)]
    assert Outcomes.concatenated(few_classes).in_top5 is None
    assert Outcomes.concatenated(few_classes).predicted is None


def test_the_bins_are_15_and_close_at_their_upper_ends():
    confidence = np.array([0.0, 1 / 15, 0.07, 0.5, 14 / 15, 0.94, 1.0, 1 + 1e-9])
    correct = np.array([True, False, True, True, False, True, True, False])
    found = Calibration.of(Outcomes(correct, None, confidence, np.full(8, 0.25)))
    assert found.count == (2, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 3)
    assert found.correct == (1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2)
    assert found.confidence == pytest.approx((1 / 15, 0.07, *[0] * 5, 0.5, *[0] * 5, 14 / 15, 2.94), abs=2e-9)
    assert found.brier == 0.25


def test_what_is_stored_has_nine_decimals_and_a_brier_score_of_at_most_2():
    third = Outcomes(np.array([True]), None, np.array([1 / 3]), np.array([1 / 3]))
    found = Calibration.of(third)
    assert (found.brier, max(found.confidence)) == (0.333333333, 0.333333333)
    assert Calibration.of(third._replace(brier=np.array([2 + 1e-8]))).brier == 2


def test_a_bin_may_be_full():
    """All of its images right, and each of confidence 1, with the rounding of their sum."""
    full = {"count": 2, "correct": 2, "confidence": 2 + 1e-6}
    bins = {name: (value,) + (0,) * (BINS - 1) for name, value in full.items()}
    assert Calibration(**bins, brier=0.0).ece() == pytest.approx(0, abs=1e-4)
    with pytest.raises(ValidationError, match=r"a bin of 2 images cannot hold 2 correct ones or a sum of 2\.1"):
        Calibration(**bins | {"confidence": (2.1,) + (0,) * (BINS - 1)}, brier=0.0)


GOOD = {"count": (2,) * BINS, "confidence": (1.5,) * BINS, "correct": (1,) * BINS, "brier": 0.5}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", (-1, *(2,) * (BINS - 1))),
        ("count", (2,) * (BINS + 1)),
        ("count", (2,) * (BINS - 1)),
        ("count", ("2",) * BINS),
        ("confidence", (-0.5, *(1.5,) * (BINS - 1))),
        ("confidence", (np.inf, *(1.5,) * (BINS - 1))),
        ("confidence", (np.nan, *(1.5,) * (BINS - 1))),
        ("confidence", (1.5,) * (BINS - 1)),
        ("correct", (-1, *(1,) * (BINS - 1))),
        ("correct", (1,) * (BINS + 1)),
        ("brier", -0.5),
        ("brier", 2.5),
        ("brier", "0.5"),
        ("bins", 15),
    ],
)
def test_each_field_of_a_calibration_keeps_its_bounds(field, value):
    with pytest.raises(ValidationError) as refused:
        Calibration(**GOOD | {field: value})
    assert {error["loc"][0] for error in refused.value.errors()} == {field}


def test_a_calibration_comes_back_from_json_and_cannot_be_changed():
    for brier in (0.0, 0.5, 2.0):
        good = Calibration(**GOOD | {"brier": brier})
        assert Calibration.model_validate(json.loads(good.model_dump_json())) == good
    with pytest.raises(ValidationError, match="frozen"):
        good.brier = 0.1


def test_there_are_15_bins():
    assert BINS == 15 and len(Calibration(**GOOD).count) == 15
