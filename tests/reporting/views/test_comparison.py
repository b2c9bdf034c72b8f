"""The verdict of `lst-robust compare`, its caption, and the table."""

from __future__ import annotations

import pytest

from lst_robust.analysis.comparison import Comparison, Difference
from lst_robust.analysis.statistics import Spread
from lst_robust.reporting.views.comparison import caption, comparison_table, verdict
from tests.analysis.simulated import protocol

BETTER = Difference(a=90.0, b=92.5, difference=-2.5, low=-3.25, high=-1.75, p_value=0.0001)
WORSE = Difference(a=92.5, b=90.0, difference=2.5, low=1.75, high=3.25, p_value=0.0001)
CHANCE = Difference(a=90.0, b=90.5, difference=-0.5, low=-1.5, high=0.5, p_value=0.4)
HANDFUL = Difference(a=91.0, b=90.0, difference=1.0, low=0.25, high=2.0, p_value=0.13)
SPREAD = Spread(mean=-2.5, std=1.25, n=3, low=-5.5, high=0.5)


def compared(metrics: dict[str, Difference], **stated) -> Comparison:
    fields = {"normaliser": "half", "quantity": "ce", "corruptions": {"fog": WORSE, "contrast": BETTER}} | stated
    return Comparison("lst20", "resnet20", protocol(500), metrics=metrics, **fields)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (BETTER, "lst20, as trained, is better than resnet20 on such images"),
        (WORSE, "resnet20, as trained, is better than lst20 on such images"),
        (CHANCE, "no difference between lst20 and resnet20 is shown"),
        (HANDFUL, "no difference between lst20 and resnet20 is shown"),
    ],
    ids=["better", "worse", "by chance", "a handful of images"],
)
def test_the_verdict_needs_an_interval_without_zero_and_a_small_p_value(value, words):
    numbers = (
        f"mCE (15 standard) {value.difference:+.2f} [{value.low:+.2f}, {value.high:+.2f}], p = {value.p_value:.4f}"
    )
    assert verdict(compared({"clean_error": CHANCE, "mce15": value})) == f"{words}: {numbers}"


def test_the_verdict_is_of_the_metric_that_counts_most_of_those_there_are():
    assert "mean corruption error -2.50" in verdict(compared({"clean_error": WORSE, "mean_corruption_error": BETTER}))


def test_several_trainings_add_their_spread():
    value = Difference(**(vars(BETTER) | {"seeds": SPREAD._replace(high=-0.25)}))
    comparison = compared({"mce15": value}, pairs=(compared({"mce15": BETTER}),) * 3)
    assert verdict(comparison).startswith("lst20, as trained, is better than resnet20")
    assert verdict(comparison).endswith("over 3 training seeds: SD 1.25, 95 % [-5.50, -0.25]")
    assert "mean of 3 training seeds (SD: of A - B over them)" in caption(comparison)


def test_an_interval_over_trainings_that_contains_zero_is_said():
    value = Difference(**(vars(BETTER) | {"seeds": SPREAD}))
    assert verdict(compared({"mce15": value})).endswith(
        "95 % [-5.50, +0.50], so over other trainings no difference is shown"
    )


def test_the_caption_says_against_what_a_ce_is():
    assert "digits-c v1, n = 500 · CE against half · percent" in caption(compared({"mce15": BETTER}))
    assert "mean top-1 errors" in caption(compared({"clean_error": BETTER}, normaliser=None, quantity="error"))
    some_severities = compared({"clean_error": BETTER}, quantity="error")  # of which no CE can be made
    assert "mean top-1 errors" in caption(some_severities)


def test_the_table_has_a_row_a_metric_and_then_the_corruptions_in_their_order(shown):
    text = shown(comparison_table(compared({"clean_error": CHANCE, "mce15": BETTER})))
    rows = [line.split()[0] for line in text.splitlines() if line.strip() and not set(line.strip()) <= {"─", " "}]
    assert rows[1:] == ["clean", "mCE", "fog", "contrast"]
    assert "90.00" in text and "-2.50 [-3.25, -1.75]" in text and "+2.5 [+1.8, +3.2]" in text
    assert " SD" not in text and "…" not in text
