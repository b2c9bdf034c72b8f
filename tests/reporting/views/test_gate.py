"""The table of `lst-robust check`."""

from __future__ import annotations

import pytest

from lst_robust.analysis.gate import Finding, Gate
from lst_robust.reporting.views.gate import UNPAIRED, gate_view

NUMBERS = {"baseline": 90.0, "current": 93.25, "difference": 3.25, "low": 2.5, "high": 4.0}


def gate(*findings: Finding) -> Gate:
    return Gate("mce15", 0.5, findings)


def test_a_row_says_what_was_what_is_and_the_verdict(shown):
    text = shown(gate_view(gate(Finding("lst18", "digits-c", "regression", "worse", **NUMBERS, paired=True))))
    assert text.splitlines()[0].startswith("mce15, tolerance 0.5 percent points")
    (row,) = [" ".join(line.split()) for line in text.splitlines() if "lst18" in line]
    assert row == "digits-c lst18 90.00 93.25 +3.25 [+2.50, +4.00] regression"
    assert UNPAIRED not in text


@pytest.mark.parametrize(
    ("status", "verdict"), [("passed", "passed"), ("incomparable", "not comparable"), ("missing", "no records")]
)
def test_verdicts_in_words(shown, status, verdict):
    assert verdict in shown(gate_view(gate(Finding("lst18[/]", "digits-c", status, "-"))))


def test_what_is_not_paired_has_a_star_and_a_line_that_explains_it(shown):
    paired, unpaired = (
        Finding(name, "s", "passed", "", **NUMBERS, paired=both) for name, both in (("a", True), ("b", False))
    )
    text = shown(gate_view(gate(paired, unpaired)))
    stars = [line for line in text.splitlines() if " *" in line]
    assert len(stars) == 1 and " b " in stars[0] and text.splitlines()[-1] == UNPAIRED
