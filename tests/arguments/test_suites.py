"""Arguments of load_suite and load_normaliser: each mistake is one line with the argument's name."""

from __future__ import annotations

import pytest

import lst_robust
from tests.fixtures.refusals import WRONG_PATHS, refusal


@pytest.mark.parametrize(
    "value", [3, None, b"digits-c", "", ["digits-c"], "digits", True, lst_robust.load_suite("digits-c")]
)
def test_load_suite_refuses(value):
    assert "suite" in refusal(lst_robust.load_suite, value)


@pytest.mark.parametrize("value", [None, *WRONG_PATHS, lst_robust.published_normaliser()])
def test_load_normaliser_refuses(value):
    assert "path is" in refusal(lst_robust.load_normaliser, value)
