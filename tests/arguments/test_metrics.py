"""Arguments of the metrics: each mistake is one line with the argument's name, or the corruption's."""

from __future__ import annotations

import numpy as np
import pytest

import lst_robust
from tests.fixtures.refusals import NAN, refusal

FIVE = [50.0] * 5
ALEXNET = lst_robust.published_normaliser()

ROW = {
    "not a list": "12345",
    "a number": 3,
    "NaN": [NAN] * 5,
    "truths": [True] * 5,
    "texts": ["1"] * 5,
    "a mapping": dict.fromkeys(range(5), 1),
    "nothing": None,
}


@pytest.mark.parametrize("row", ROW.values(), ids=ROW)
def test_rows_of_errors_are_numbers(row):
    assert "errors" in refusal(lst_robust.corruption_error, row, FIVE)
    assert "normaliser_errors" in refusal(lst_robust.corruption_error, FIVE, row)
    assert "errors" in refusal(lst_robust.relative_corruption_error, row, 10, FIVE, 10)
    assert "errors['fog']" in refusal(lst_robust.corruption_errors, {"fog": row}, ALEXNET)
    assert "errors['fog']" in refusal(lst_robust.relative_mce, {"fog": row}, 10, ALEXNET)
    assert "errors['fog']" in refusal(lst_robust.mean_corruption_error, {"fog": row})


@pytest.mark.parametrize("value", [NAN, "10", True, [10]])
def test_clean_errors_are_numbers(value):
    assert "clean_error" in refusal(lst_robust.relative_corruption_error, FIVE, value, FIVE, 10)
    assert "normaliser_clean_error" in refusal(lst_robust.relative_corruption_error, FIVE, 10, FIVE, value)
    assert "clean_error" in refusal(lst_robust.relative_mce, {"fog": FIVE}, value, ALEXNET)


@pytest.mark.parametrize("value", [None, "alexnet-imagenet-c", {}, lst_robust.Normaliser])
def test_metrics_take_a_normaliser(value):
    assert "normaliser" in refusal(lst_robust.corruption_errors, {"fog": FIVE}, value)
    assert "normaliser" in refusal(lst_robust.relative_mce, {"fog": FIVE}, 10, value)
    if value is not None:
        assert "normaliser" in refusal(lst_robust.bootstrap_intervals, {}, value)


@pytest.mark.parametrize("value", [None, [FIVE], "fog", 3])
def test_metrics_take_mappings(value):
    for function, more in [
        (lst_robust.corruption_errors, (ALEXNET,)), (lst_robust.relative_mce, (10, ALEXNET)),
        (lst_robust.mean_corruption_error, ()), (lst_robust.mce15, ()), (lst_robust.mce19, ()),
        (lst_robust.bootstrap_intervals, (ALEXNET,)),
    ]:  # fmt: skip
        refusal(function, value, *more)


@pytest.mark.parametrize("value", [NAN, "100", True])
def test_means_of_ce_are_of_numbers(value):
    ce = dict.fromkeys(lst_robust.corruption_names(), 100.0) | {"fog": value}
    assert "ce['fog']" in refusal(lst_robust.mce15, ce)
    assert "ce['fog']" in refusal(lst_robust.mce19, ce)


def test_rows_of_numpy_give_the_same_numbers():
    array = np.array(FIVE, np.float32)
    assert lst_robust.corruption_error(array, array) == lst_robust.corruption_error(FIVE, FIVE) == 100
    assert lst_robust.corruption_errors({"fog": array}, ALEXNET) == lst_robust.corruption_errors({"fog": FIVE}, ALEXNET)
