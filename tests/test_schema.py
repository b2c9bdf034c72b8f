"""Checked data: unknown keys, types that only look right, and the line that names a mistake."""

from __future__ import annotations

import pytest
from pydantic import ValidationError, field_validator

from lst_robust.schema import Config, Floats3, Floats5, Integers, first_mistake


class Inner(Config):
    size: int


class Outer(Config):
    inner: Inner | None = None
    mean: Floats3 = (0.0, 0.0, 0.0)
    errors: Floats5 = (0.0,) * 5
    severities: Integers = ()
    rate: float = 1.0

    @field_validator("rate")
    @classmethod
    def positive(cls, value: float) -> float:
        if value <= 0:
            raise ValueError("give a rate above 0")
        return value


def test_lists_and_whole_numbers_of_a_file_become_tuples_and_floats():
    found = Outer.model_validate({"mean": [0, 1, 0.5], "errors": [1, 2, 3, 4, 5], "severities": [1, 3]})
    assert found.mean == (0.0, 1.0, 0.5) and all(type(value) is float for value in (*found.mean, *found.errors))
    assert found.severities == (1, 3)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"inner": {"sise": 3, "size": 3}}, "inner.sise: Extra inputs are not permitted"),
        ({"inner": {"size": "32"}}, "inner.size: Input should be a valid integer"),
        ({"rate": float("nan")}, "rate: Input should be a finite number"),
        ({"rate": -1.0}, "rate: give a rate above 0"),
        ({"mean": [0.1, 0.2]}, "mean.2: Field required"),
    ],
)
def test_a_mistake_is_named_with_its_key(given, line):
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(given)
    assert first_mistake(caught.value) == line


def test_a_mistake_of_the_whole_has_no_key():
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate([])
    assert first_mistake(caught.value).startswith("Input should be a valid dictionary")


def test_what_is_checked_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Inner(size=3).size = 4
