"""What is said below a table."""

from __future__ import annotations

import pytest

from lst_robust.reporting.tables import groups, robustness_table


@pytest.mark.parametrize(
    ("suite", "words"),
    [
        ("tiny-imagenet-c", "the suite has no normaliser."),
        ("digits-c", "no normaliser was wanted."),
        ("mine", "the suite mine does not ship with the package, and no normaliser of it is known. --suite FILE.yaml "),
    ],
)
def test_why_there_is_no_ce_without_a_normaliser(result, suite, words):
    """A suite that is only in a file may have a normaliser, which its records do not name."""
    (group,) = groups(robustness_table([result(suite=suite, normaliser=None)]))
    assert group.notes[0].startswith(f"No CE and no mCE: {words}")


def test_why_there_is_no_ce_with_a_normaliser(result):
    lacking = result(ce={})
    (group,) = groups(robustness_table([lacking]))
    assert group.notes[0].startswith("No CE and no mCE: a CE needs the errors of all five severities")
    assert "those of alexnet." in group.notes[0]
