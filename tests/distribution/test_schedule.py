"""The order of tasks, their retries and the pauses before these."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lst_robust.distribution import schedule as module
from lst_robust.distribution.schedule import Schedule, pause_after
from tests.distribution.clock import Clock


def drained(schedule: Schedule[str]) -> list[str]:
    """All tasks that may be submitted now; each is done at once."""
    order = []
    while (ticket := schedule.next()) is not None:
        order.append(ticket.task)
        schedule.end(ticket)
    return order


def test_the_longest_task_comes_first_and_equal_ones_in_their_order():
    schedule = Schedule([("short", 1.0), ("long", 9.0), ("middle", 3.0), ("middle too", 3.0)])
    assert drained(schedule) == ["long", "middle", "middle too", "short"]
    assert schedule.done == schedule.total == 4 and schedule.waiting == 0


def test_no_tasks_are_done_at_once():
    assert Schedule([]).next() is None


def test_a_task_that_failed_takes_its_place_again_after_its_pause():
    clock = Clock()
    schedule = Schedule([("long", 9.0), ("short", 1.0), ("shorter", 0.5)], clock=clock)
    assert schedule.fail(schedule.next(), "the node died", again=True)
    ticket = schedule.next()
    assert ticket.task == "short"
    clock.now += 1.0
    assert drained(schedule) == ["long", "shorter"], "a long one at the end would keep everybody waiting"
    schedule.end(ticket)
    assert (schedule.done, schedule.resubmitted, schedule.failed) == (3, 1, [])


def test_while_it_is_in_its_pause_a_task_waits_and_is_not_the_next():
    clock = Clock()
    schedule = Schedule([("only", 1.0)], clock=clock)
    schedule.fail(schedule.next(), "the node died", again=True)
    clock.now += 0.99
    assert schedule.next() is None and schedule.waiting == 1
    clock.now += 0.01
    assert schedule.next().attempt == 1


def test_pauses_double_up_to_a_minute():
    assert [pause_after(failures) for failures in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pause_after(10**6) == 60


def test_pauses_are_read_when_they_are_needed(monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 0.0)
    schedule = Schedule([("only", 1.0)], clock=Clock())
    schedule.fail(schedule.next(), "the node died", again=True)
    assert schedule.next().task == "only"


@pytest.mark.parametrize(("again", "retries", "attempts"), [(True, 2, 3), (True, 0, 1), (False, 2, 1)])
def test_a_task_fails_for_good_after_its_last_retry_or_at_once_where_a_retry_is_of_no_use(again, retries, attempts):
    clock = Clock()
    schedule = Schedule([("only", 1.0)], retries, clock)
    made = 0
    while (ticket := schedule.next()) is not None:
        made += 1
        schedule.fail(ticket, f"reason {made}", again=again)
        clock.now += 100
    assert made == attempts
    assert schedule.failed == [("only", f"reason {attempts}")] and schedule.done == 0


def test_a_task_that_is_put_back_has_lost_no_retry_and_needs_no_pause():
    schedule = Schedule([("only", 1.0)], retries=0, clock=Clock())
    for _ in range(3):
        schedule.put_back(schedule.next())
    ticket = schedule.next()
    assert ticket.attempt == 0
    schedule.fail(ticket, "the node died", again=True)
    assert schedule.failed and schedule.next() is None
    schedule.put_back(ticket)  # it was given up in vain
    assert not schedule.failed and schedule.next() == ticket


def test_what_is_put_back_comes_behind_all_others_in_its_order():
    schedule = Schedule([("long", 9.0), ("middle", 5.0), ("short", 1.0)], clock=Clock())
    for _ in range(2):
        schedule.put_back(schedule.next())
    assert drained(schedule) == ["short", "long", "middle"]


def test_a_probe_is_the_shortest_that_was_not_tried():
    schedule = Schedule([("long", 9.0), ("middle", 5.0), ("short", 1.0)], clock=Clock())
    first = schedule.probe()
    assert first.task == "short" and schedule.running == {2: first}
    schedule.put_back(first)
    second = schedule.probe()
    assert second.task == "middle"
    schedule.put_back(second)
    assert [schedule.probe().task for _ in range(3)] == ["long", "short", "middle"] and schedule.probe() is None


@given(
    costs=st.lists(st.floats(0, 1e6), max_size=20),
    retries=st.integers(0, 4),
    at_once=st.integers(1, 5),
    random=st.randoms(use_true_random=False),
)
def test_every_task_ends_done_or_failed_whatever_fails(costs, retries, at_once, random):
    clock = Clock()
    schedule = Schedule(list(enumerate(costs)), retries, clock)
    attempts = dict.fromkeys(range(len(costs)), 0)
    done: list[int] = []
    while schedule.waiting or schedule.running:
        while len(schedule.running) < at_once and (ticket := schedule.next()) is not None:
            assert ticket.attempt == attempts[ticket.task] <= retries
        assert schedule.total == schedule.waiting + len(schedule.running) + schedule.done + len(schedule.failed)
        if not schedule.running:
            clock.now += module.LONGEST_PAUSE
            continue
        ticket = random.choice(list(schedule.running.values()))
        what = random.choice(["ends", "fails", "fails", "refuses", "is put back"])
        if what == "ends":
            schedule.end(ticket)
            done.append(ticket.task)
        elif what == "is put back":
            schedule.put_back(ticket)
        else:
            attempts[ticket.task] += 1
            again = schedule.fail(ticket, what, again=what == "fails")
            assert again == (what == "fails" and attempts[ticket.task] <= retries)
    assert sorted(done + [task for task, _ in schedule.failed]) == list(range(len(costs)))
