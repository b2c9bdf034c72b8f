"""What becomes of logits: classes, top-5, confidence and Brier score, against closed forms and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import brier_score_loss

from lst_robust.evaluation.inference import outcomes_of
from lst_robust.records.confidence import Calibration


def logits(probabilities: list[list[float]]) -> torch.Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).log()


def test_top5_counts_labels_among_the_five_most_probable():
    ranked = torch.arange(7.0).repeat(7, 1)  # class 6 is the most probable, class 0 the least
    outcomes = outcomes_of(ranked, torch.arange(7))
    assert outcomes.correct.tolist() == [False] * 6 + [True]
    assert outcomes.in_top5.tolist() == [False] * 2 + [True] * 5
    assert outcomes.top5_error() == pytest.approx(100 * 2 / 7)


def test_top5_is_not_defined_for_five_classes():
    assert outcomes_of(torch.zeros(3, 5), torch.zeros(3, dtype=torch.int64)).top5_error() is None


def test_a_tie_never_makes_top5_worse_than_top1():
    outcomes = outcomes_of(torch.zeros(10, 10), torch.arange(10))
    assert np.all(outcomes.in_top5[outcomes.correct])


def test_brier_score_is_the_squared_distance_from_the_label():
    outcomes = outcomes_of(logits([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]), torch.tensor([0, 1]))
    assert outcomes.brier == pytest.approx([0.25 + 0.09 + 0.04, 0.01 + 0.64 + 0.49])
    assert outcomes.confidence == pytest.approx([0.5, 0.7])


def test_brier_score_as_scikit_learn_computes_it():
    generator = torch.Generator().manual_seed(0)
    values, labels = torch.randn(200, 10, generator=generator), torch.randint(0, 10, (200,), generator=generator)
    p = values.double().softmax(1).numpy()
    twice_binary = sum(brier_score_loss(labels.numpy() == k, p[:, k]) for k in range(10))
    assert Calibration.of(outcomes_of(values, labels)).brier == pytest.approx(twice_binary, abs=1e-8)


def test_each_image_has_a_class_of_its_own():
    outcomes = outcomes_of(logits([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.5, 0.3]]), torch.tensor([0, 2, 2]))
    assert outcomes.correct.tolist() == [True, True, False]
    assert outcomes.in_top5 is None
    assert outcomes.predicted.tolist() == [0, 2, 1]


def test_more_classes_than_images_and_more_images_than_classes():
    """The classes lie along the second axis, whichever of the two is longer."""
    for images in (3, 20):
        ranked = torch.arange(7.0).repeat(images, 1)
        outcomes = outcomes_of(ranked, torch.arange(images) % 7)
        assert outcomes.in_top5.tolist() == [i % 7 >= 2 for i in range(images)]
