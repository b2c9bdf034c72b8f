"""The line from clean error to mCE."""

from __future__ import annotations

import pytest
from scipy.stats import linregress

from lst_robust.analysis.published import published_results
from lst_robust.analysis.robustness_line import robustness_line


def test_points_on_a_line_give_that_line():
    line = robustness_line([(10, 25), (20, 45), (30, 65)])
    assert (line.slope, line.intercept, line.r2) == pytest.approx((2, 5, 1))
    assert (line.n, line.low, line.high) == (3, 10, 30)


def test_the_line_of_published_networks_is_scipys():
    points = [
        (result.metrics["clean_error"], result.metrics["mce15"])
        for result in published_results(["testbed"])
        if None not in (result.metrics["clean_error"], result.metrics["mce15"])
    ]
    line = robustness_line(points)
    found = linregress(*zip(*points, strict=True))
    assert (line.slope, line.intercept, line.r2) == pytest.approx((found.slope, found.intercept, found.rvalue**2))
    assert line.n == len(points) > 50


@pytest.mark.parametrize("points", [[], [(1, 2), (2, 3)], [(1, 2), (1, 3), (1, 4)]])
def test_too_few_points_give_none(points):
    assert robustness_line(points) is None


def test_equal_values_are_explained():
    assert robustness_line([(1, 5), (2, 5), (3, 5)]).r2 == 1
