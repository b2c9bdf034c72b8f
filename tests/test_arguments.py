"""The checks of arguments: what passes comes back as Python's own, and each mistake is one short line."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from lst_robust import arguments
from tests.fixtures.refusals import Other, refusal


@pytest.mark.parametrize(
    ("check", "given", "found"),
    [
        (arguments.whole_number, np.int8(3), 3),
        (arguments.whole_number, np.array(3), 3),
        (arguments.whole_numbers, np.array([3, 1]), (3, 1)),
        (arguments.finite_number, np.float32(0.5), 0.5),
        (arguments.finite_number, 2, 2.0),
        (arguments.yes_or_no, np.True_, True),
        (arguments.text, np.str_("fog"), "fog"),
        (arguments.names, (name for name in ("fog", "snow")), ("fog", "snow")),
        (arguments.names, {"snow", "fog"}, ("fog", "snow")),
        (arguments.path, np.str_("folder"), Path("folder")),
    ],
)
def test_what_passes_comes_back_as_pythons_own(check, given, found):
    result = check("it", given)
    assert result == found and type(result) is type(found)
    if isinstance(result, tuple):
        assert [type(one) for one in result] == [type(one) for one in found]


@pytest.mark.parametrize(
    ("check", "given", "limits", "line"),
    [
        (arguments.whole_number, True, {}, "it is True: give a whole number"),
        (arguments.whole_number, 3.0, {"least": 1}, "it is 3.0: give a whole number of at least 1"),
        (arguments.whole_number, 9, {"least": 1, "most": 5}, "it is 9: give a whole number from 1 to 5"),
        (arguments.whole_number, 9, {"most": 5}, "it is 9: give a whole number of at most 5"),
        (arguments.whole_numbers, [], {}, "it is empty: give at least one"),
        (arguments.whole_numbers, [1, "2"], {}, "it[1] is '2': give a whole number"),
        (arguments.finite_number, float("inf"), {}, "it is inf: give a finite number"),
        (arguments.finite_number, -1, {"least": 0}, "it is -1: give a finite number of at least 0"),
        (arguments.yes_or_no, 1, {}, "it is 1: give True or False"),
        (arguments.text, "", {}, "it is '': give a text"),
        (arguments.text, "a\n", {"longest": 5}, r"it is 'a\n': give a text of 1 to 5 printable characters"),
        (arguments.names, "fog", {}, "it is 'fog': give a list, such as it=[\"fog\"]"),
        (arguments.path, b"folder", {}, "it is b'folder': give a path, as text or Path"),
        (arguments.function, 3, {}, "it is 3: give a function"),
        (arguments.choice, "foq", {"known": ["fog", "snow"]}, "unknown it 'foq': did you mean fog?"),
        (arguments.choice, 3, {"known": ["fog", "snow"]}, "it is 3: choose from fog, snow"),
        (arguments.choices, [3], {"known": ["fog"], "kind": "word"}, "it[0] is 3: give the name of a word"),
    ],
)
def test_what_is_refused_is_named_with_what_may_be_given(check, given, limits, line):
    assert refusal(check, "it", given, **limits) == line


def test_none_passes_where_it_is_optional_and_the_line_says_so():
    assert arguments.optional(arguments.whole_number, "it", None) is None
    assert arguments.optional(arguments.whole_number, "it", 3) == 3
    assert refusal(arguments.optional, arguments.yes_or_no, "it", "no") == "it is 'no': give True or False, or None"


def test_a_choice_that_is_named_twice_counts_once_and_the_order_stays():
    assert arguments.choices("it", ["snow", "fog", "snow"], ["fog", "snow"], kind="word") == ("snow", "fog")


def test_an_instance_of_another_class_is_refused_with_the_way_to_one():
    value = Path("folder")
    assert arguments.instance("it", value, Path, "call Path") is value
    assert refusal(arguments.instance, "it", Other(), Path, "call Path") == "it is of type Other: call Path"


def test_a_list_that_never_ends_is_refused(monkeypatch):
    monkeypatch.setattr(arguments, "MOST_ITEMS", 1000)
    assert "more than 1,000 items" in refusal(arguments.names, "names", itertools.repeat("fog"))


def test_values_in_messages_are_short():
    for value in ("x" * 1000, list(range(1000)), 10**5000, np.zeros(1000), Other(), [Other()]):
        assert len(refusal(arguments.yes_or_no, "flag", value)) < 200
