"""What texts of options mean."""

from __future__ import annotations

import pytest

from lst_robust.benchmark import CORRUPTIONS, GROUPS, STANDARD_15
from lst_robust.cli.options import parse_corruptions, parse_options, parse_severities
from lst_robust.errors import UsageError


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (None, None),
        ("fog", ("fog",)),
        (" fog , contrast,fog,", ("fog", "contrast")),
        ("noise", GROUPS["noise"]),
        ("snow,weather", ("snow", *(name for name in GROUPS["weather"] if name != "snow"))),
        ("all", CORRUPTIONS),
        ("standard", STANDARD_15),
        ("fogg", ("fogg",)),  # who takes them says what there is
        ("", ()),
    ],
)
def test_corruptions_are_names_and_groups(text, names):
    assert parse_corruptions(text) == names


@pytest.mark.parametrize(
    ("text", "severities"), [(None, None), ("3", (3,)), ("1,3-5", (1, 3, 4, 5)), (" 2 - 3 ", (2, 3)), ("5,1", (5, 1))]
)
def test_severities_are_numbers_and_ranges(text, severities):
    assert parse_severities(text) == severities


@pytest.mark.parametrize("text", ["", "one", "1-", "1,,2", "0", "1-6", "-1", "1-1000000000", "1,5-3"])
def test_other_severities_are_refused(text):
    with pytest.raises(UsageError, match=r"such as 1,3 or 1-5|outside 1\.\.5|smaller number first, as in 3-5"):
        parse_severities(text)


def test_model_options_are_texts_by_key():
    assert parse_options(["stem=3x3s1", " tau = 1e-3", "name=a=b"]) == {"stem": "3x3s1", "tau": "1e-3", "name": "a=b"}
    assert parse_options([]) is None and parse_options(None) is None
    for pair in ("stem", "=3x3s1", " =x"):
        with pytest.raises(UsageError, match="give KEY=VALUE"):
            parse_options([pair])
    with pytest.raises(UsageError, match="--set gives stem two values, '3x3s1' and '7x7': give one of them"):
        parse_options(["stem=3x3s1", "tau=1", " stem=7x7"])
