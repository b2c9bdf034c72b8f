"""Top-5 error, ECE and Brier score against closed forms and a second formulation."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.metrics import brier_score_loss

from lst_robust.records.confidence import BINS, Calibration, Outcomes


def logits(probabilities: list[list[float]]) -> torch.Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).log()


def test_top5_counts_labels_among_the_five_most_probable():
    ranked = torch.arange(7.0).repeat(7, 1)  # class 6 is the most probable, class 0 the least
    outcomes = Outcomes.of(ranked, torch.arange(7))
    assert outcomes.correct.tolist() == [False] * 6 + [True]
    assert outcomes.in_top5.tolist() == [False] * 2 + [True] * 5
    assert outcomes.top5_error() == pytest.approx(100 * 2 / 7)


def test_top5_is_not_defined_for_five_classes():
    assert Outcomes.of(torch.zeros(3, 5), torch.zeros(3, dtype=torch.int64)).top5_error() is None


def test_a_tie_never_makes_top5_worse_than_top1():
    outcomes = Outcomes.of(torch.zeros(10, 10), torch.arange(10))
    assert np.all(outcomes.in_top5[outcomes.correct])


def test_brier_score_is_the_squared_distance_from_the_label():
    outcomes = Outcomes.of(logits([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]), torch.tensor([0, 1]))
    assert outcomes.brier == pytest.approx([0.25 + 0.09 + 0.04, 0.01 + 0.64 + 0.49])
    assert outcomes.confidence == pytest.approx([0.5, 0.7])


def test_brier_score_as_scikit_learn_computes_it():
    generator = torch.Generator().manual_seed(0)
    values, labels = torch.randn(200, 10, generator=generator), torch.randint(0, 10, (200,), generator=generator)
    p = values.double().softmax(1).numpy()
    twice_binary = sum(brier_score_loss(labels.numpy() == k, p[:, k]) for k in range(10))
    assert Calibration.of(Outcomes.of(values, labels)).brier == pytest.approx(twice_binary, abs=1e-8)


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


def test_each_image_has_a_class_of_its_own():
    outcomes = Outcomes.of(logits([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.5, 0.3]]), torch.tensor([0, 2, 2]))
    assert outcomes.correct.tolist() == [True, True, False]
    assert outcomes.in_top5 is None


def test_more_classes_than_images_and_more_images_than_classes():
    """The classes lie along the second axis, whichever of the two is longer."""
    for images in (3, 20):
        ranked = torch.arange(7.0).repeat(images, 1)
        outcomes = Outcomes.of(ranked, torch.arange(images) % 7)
        assert outcomes.in_top5.tolist() == [i % 7 >= 2 for i in range(images)]


def test_batches_are_joined_in_their_order():
    first = Outcomes(np.array([True, False]), np.array([True, True]), np.array([0.5, 0.6]), np.array([0.1, 0.2]))
    second = Outcomes(np.array([False]), np.array([False]), np.array([0.7]), np.array([0.3]))
    joined = Outcomes.concatenated([first, second])
    assert joined.correct.tolist() == [True, False, False]
    assert joined.in_top5.tolist() == [True, True, False]
    assert joined.confidence.tolist() == [0.5, 0.6, 0.7]
    assert joined.brier.tolist() == [0.1, 0.2, 0.3]
    few_classes = [part._replace(in_top5=None) for part in (first, second)]
    assert Outcomes.concatenated(few_classes).in_top5 is None


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
