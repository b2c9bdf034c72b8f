"""The probe images and what counts as the same answer."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from lst_robust.evaluation.identity.probe import TOLERANCE, probe_images, same_answers

ANSWERS = np.random.default_rng(0).normal(3.0, 2.0, (4, 10)).astype(np.float32)
SPREAD = np.median(ANSWERS.std(axis=0))


def test_the_images_are_the_same_for_everybody():
    images = probe_images(32)
    assert images.shape == (4, 32, 32, 3) and images.dtype == np.uint8
    assert hashlib.sha256(images.tobytes()).hexdigest()[:16] == "d78b5e2335486c35"
    assert len(np.unique(images[0].reshape(-1, 3), axis=0)) > 1000
    assert len(np.unique(images[2].reshape(-1, 3), axis=0)) == 16
    assert [probe_images(size).shape[1] for size in (8, 33, 224)] == [8, 33, 224]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.98])
def test_what_lies_within_the_tolerance_is_one_network(share):
    other = ANSWERS.copy()
    other[2, 3] += share * TOLERANCE * SPREAD
    assert same_answers(ANSWERS, other)


@pytest.mark.parametrize("share", [1.1, -1.1, 100.0])
def test_one_answer_beyond_it_is_another_network(share):
    other = ANSWERS.copy()
    other[2, 3] += share * TOLERANCE * SPREAD
    assert not same_answers(ANSWERS, other)


def test_a_constant_network_has_rounding_and_nothing_else():
    constant = np.full((4, 10), 100.0, np.float32)
    assert same_answers(constant, constant + np.float32(1e-4))
    assert not same_answers(constant, constant + 1)


def test_not_a_number_equals_only_itself():
    broken = ANSWERS.copy()
    broken[1] = np.nan
    assert same_answers(broken, broken.copy()) and not same_answers(broken, ANSWERS)
    assert not same_answers(ANSWERS, broken)
    nothing = np.full((4, 10), np.nan, np.float32)
    assert same_answers(nothing, nothing) and not same_answers(nothing, ANSWERS)
    infinite = np.where(ANSWERS > 3, np.inf, ANSWERS)
    assert same_answers(infinite, infinite) and not same_answers(infinite, -infinite)


def test_another_number_of_classes_is_another_network():
    assert not same_answers(ANSWERS, ANSWERS[:, :9])


def test_classes_that_never_vary_say_nothing_of_the_spread():
    masked, other = (
        np.concatenate([answers, np.full((4, 90), -1e4, np.float32)], 1) for answers in (ANSWERS, -ANSWERS)
    )
    assert same_answers(masked, masked.copy()) and not same_answers(masked, other)
    moved = masked.copy()
    moved[0, 50] += 1
    assert not same_answers(masked, moved)
