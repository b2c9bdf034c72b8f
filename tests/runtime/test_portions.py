"""Work in portions, which become smaller when the memory runs out."""

from __future__ import annotations

import weakref

import pytest
import torch

from lst_robust.errors import LstRobustError
from lst_robust.runtime.portions import Portions, no_room, with_room


def crowded(room: int, tried: list[slice]):
    """Work that has room for so many images."""

    def work(some: slice) -> list[int]:
        tried.append(some.stop - some.start)
        if tried[-1] > room:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return list(range(some.start, some.stop))

    return work


def test_what_is_done_is_kept_and_the_size_for_later_work():
    portions, tried = Portions(torch.device("cpu"), 10**6), []
    parts = portions.of(crowded(3, tried), 9)
    assert [place for part in parts for place in part] == list(range(9)) and tried == [9, 4, 2, 2, 2, 2, 1]
    assert portions.at_once == 2
    assert portions.of(crowded(3, tried), 0) == []


def test_room_is_made_before_a_portion_is_halved():
    portions, tried, others = Portions(torch.device("cpu"), 8), [], ["one"]
    assert len(portions.of(crowded(4, tried), 8, lambda: bool(others) and bool(others.pop()))) == 2
    assert tried == [8, 8, 4, 4]


def test_parts_may_be_about_equal():
    portions, tried = Portions(torch.device("cpu"), 4), []
    parts = portions.of(crowded(9, tried), 9, alike=True)
    assert tried == [3, 3, 3] and [place for part in parts for place in part] == list(range(9))


def failing(held: list, failures: int):
    """Work that holds a tensor when the memory runs out."""

    def work(some: slice) -> int:
        tensor = torch.zeros(3)
        held.append(weakref.ref(tensor))
        if len(held) <= failures:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return some.stop - some.start

    return work


def test_what_a_failed_attempt_held_is_free_when_room_is_made(monkeypatch):
    held, alive = [], []

    def look() -> bool:
        alive.append(held[-1]() is not None)
        return False

    monkeypatch.setattr(torch.cuda, "empty_cache", look)
    assert Portions(torch.device("cpu"), 8).of(failing(held, 2), 8, look) == [2] * 4
    assert alive == [False] * 4, "twice before it is halved, and twice before the store is emptied"
    del held[:]
    work = failing(held, 1)
    assert with_room(lambda: work(slice(0, 5)), lambda: not look()) == 5 and alive == [False] * 5


def test_with_room_other_errors_stay_what_they_are():
    def broken() -> None:
        raise RuntimeError("no kernel")

    with pytest.raises(RuntimeError, match="no kernel"):
        with_room(broken, lambda: pytest.fail("room was made"))
    with pytest.raises(torch.cuda.OutOfMemoryError):
        with_room(lambda: crowded(0, [])(slice(0, 1)), no_room)


def test_no_room_for_one_image_and_other_errors():
    with pytest.raises(LstRobustError, match=r"cpu has not enough memory for one image: free some$"):
        Portions(torch.device("cpu"), 4).of(crowded(0, []), 4)

    def broken(some: slice) -> None:
        raise RuntimeError("no kernel")

    with pytest.raises(RuntimeError, match="no kernel"):
        Portions(torch.device("cpu"), 4).of(broken, 4)
