"""Errors are one line each, whatever they quote, and lead to their exit codes."""

from __future__ import annotations

import pytest

from lst_robust import errors
from lst_robust.errors import (
    MAX_REASON,
    LstRobustError,
    UsageError,
    message_of,
    one_line,
    reason_of,
    unknown_name,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("UsageError", 2), ("DataError", 3), ("CheckpointError", 3), ("NonFiniteError", 3),
        ("NothingToEvaluateError", 5), ("LstRobustError", 3),
    ],
)  # fmt: skip
def test_each_kind_has_its_exit_code(kind, code):
    found = getattr(errors, kind)
    assert issubclass(found, LstRobustError) and found.exit_code == code


def test_a_wrong_argument_is_a_value_error_too():
    with pytest.raises(ValueError):
        raise UsageError("wrong")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("große Katze 猫", "große Katze 猫"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\udcff", r"\udcff"),
        ("a\u2028b", r"a\u2028b"),
        ("a\u00a0b", "a\u00a0b"),
    ],
)
def test_what_would_break_the_line_is_written_as_an_escape(text, shown):
    assert one_line(text) == shown
    assert str(LstRobustError(f"no file {text}")) == f"no file {shown}"


def test_several_mistakes_are_several_lines():
    assert str(UsageError("first\nof two", "second")) == "first\\nof two\nsecond"


def test_an_unknown_name_offers_the_nearest_or_all_or_their_number():
    assert str(unknown_name("corruption", "foq", ["snow", "fog"])) == "unknown corruption 'foq': did you mean fog?"
    assert str(unknown_name("style", 3, ["b", "a"])) == "unknown style 3: choose from a, b"
    many = [f"net{number:02}" for number in range(30)]
    line = str(unknown_name("model", "xyz", many))
    assert line == ("unknown model 'xyz': there are 30 to choose from, net00 ... net29 (`lst-robust models` lists all)")
    assert "did you mean net23 or net13 or net03? (`" in str(unknown_name("model", "net3", many))


def test_an_endless_name_is_cut():
    assert len(str(unknown_name("style", "x" * 5000, ["a"]))) < 200


def test_what_anothers_error_says_is_one_line_that_is_not_too_long():
    assert message_of(OSError("no\n  network")) == "no network"
    assert message_of(KeyError()) == "KeyError", "one that says nothing is named"
    assert len(message_of(OSError("x" * 1000))) == MAX_REASON
    assert message_of(OSError("abc"), 2) == "ab"


def test_the_reason_of_a_failure_names_the_kind_of_anothers_error():
    assert reason_of(UsageError("choose another")) == "choose another"
    assert reason_of(ValueError("no\nnumber")) == "ValueError: no number"
    assert reason_of(KeyError()) == "KeyError"
    assert reason_of(MemoryError()) == "not enough memory"
