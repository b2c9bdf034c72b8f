"""What may be an observer of long work."""

from __future__ import annotations

import pytest

from lst_robust.errors import UsageError
from lst_robust.runtime.progress import Silent, checked_observer


class Counts:
    """An observer that shares no class with ours."""

    def start(self, title: str, total: int, done: int = 0) -> None: ...

    def advance(self, steps: float = 1, status: str = "") -> None: ...

    def finish(self) -> None: ...


def test_whatever_has_the_three_methods_is_an_observer():
    for observer in (Counts(), Silent()):
        assert checked_observer("observer", observer) is observer


class Half:
    def start(self, title: str, total: int, done: int = 0) -> None: ...

    finish = 3


@pytest.mark.parametrize(
    "value",
    [Half(), Counts, Silent, print, "loud", None],
    ids=["half", "a class", "ours", "a function", "a text", "none"],
)
def test_anything_else_is_a_usage_error_that_names_the_methods(value):
    with pytest.raises(UsageError, match="give an object with the methods start, advance, finish, or None") as caught:
        checked_observer("observer", value, also=", or None")
    assert str(caught.value).startswith("observer is ") and "\n" not in str(caught.value)
