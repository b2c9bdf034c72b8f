"""The same work for many things at once."""

from __future__ import annotations

import threading

import pytest

from lst_robust.runtime import threads
from lst_robust.runtime.threads import in_threads


def test_in_order_and_at_the_same_time(monkeypatch):
    monkeypatch.setattr(threads, "available_cores", lambda: 2)
    meeting = threading.Barrier(2, timeout=10)

    def work(first: int, second: int) -> int:
        meeting.wait()
        return 10 * first + second

    assert in_threads(work, [1, 2, 3, 4], [5, 6, 7, 8]) == [15, 26, 37, 48]
    assert in_threads(work, [], []) == []


def test_the_first_error_ends_it(monkeypatch):
    monkeypatch.setattr(threads, "available_cores", lambda: 1)
    begun = []

    def work(number: int) -> None:
        begun.append(number)
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        in_threads(work, range(1000))
    assert len(begun) < 1000
