"""When the submitting stops, how often one task tries, and when the run ends."""

from __future__ import annotations

import pytest

from lst_robust.distribution import breaker as module
from lst_robust.distribution.breaker import Breaker
from lst_robust.distribution.schedule import Ticket
from lst_robust.errors import LstRobustError
from tests.distribution.clock import Clock

TICKETS = [Ticket(number, f"task {number}", 1.0) for number in range(100)]


def opened(clock: Clock, running: int = 1) -> Breaker[str]:
    breaker: Breaker[str] = Breaker(running, clock)
    for ticket in TICKETS[: max(20, 2 * running)]:
        assert not breaker.is_open
        breaker.failed(ticket, given_up=False)
    assert breaker.is_open
    return breaker


@pytest.mark.parametrize("running", [1, 10, 11, 40])
def test_it_opens_after_twice_as_many_failures_as_tasks_run_and_twenty_at_least(running):
    opened(Clock(), running)


def test_a_success_between_the_failures_keeps_it_closed():
    breaker: Breaker[str] = Breaker(1, Clock())
    for ticket in TICKETS[:19]:
        breaker.failed(ticket, given_up=False)
    assert not breaker.worked()
    for ticket in TICKETS[:19]:
        breaker.failed(ticket, given_up=False)
    assert not breaker.is_open and breaker.room(7) == 7


def test_while_it_is_open_one_task_tries_after_each_growing_pause():
    clock = Clock()
    breaker = opened(clock)
    tries = []
    while len(tries) < 8:
        if breaker.room(5):
            assert breaker.room(5) == 1
            tries.append(clock.now)
            breaker.submitted(TICKETS[0])
            assert breaker.room(5) == 0, "one at a time"
            breaker.failed(TICKETS[0], given_up=False)
        clock.now += 1
    assert [later - sooner for sooner, later in zip([0.0, *tries], tries, strict=False)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_failure_of_a_task_that_was_submitted_before_makes_no_pause_longer():
    clock = Clock()
    breaker = opened(clock)
    for ticket in TICKETS[50:60]:
        breaker.failed(ticket, given_up=False)
    clock.now = 1.0
    assert breaker.room(5) == 1


def test_no_room_stays_no_room():
    clock = Clock()
    breaker = opened(clock)
    clock.now = 100
    assert breaker.room(0) == 0


def test_a_success_closes_it_and_the_next_time_the_pauses_begin_anew():
    clock = Clock()
    breaker = opened(clock)
    assert breaker.worked() and not breaker.is_open and breaker.room(9) == 9
    for ticket in TICKETS[20:40]:
        breaker.failed(ticket, given_up=False)
    clock.now += 1
    assert breaker.is_open and breaker.room(9) == 1


def test_tasks_that_failed_while_others_then_succeeded_do_not_open_it_again_alone():
    breaker = opened(Clock())
    breaker.failed(TICKETS[20], given_up=False)
    breaker.worked()
    for ticket in TICKETS[:21] * 3:
        assert breaker.failed(ticket, given_up=True) == [] and not breaker.is_open
    breaker.failed(TICKETS[21], given_up=False)
    assert breaker.is_open, "one that is above suspicion"


def test_when_it_opens_it_gives_back_what_was_given_up_since_the_last_success():
    breaker: Breaker[str] = Breaker(1, Clock())
    breaker.failed(TICKETS[0], given_up=True)
    breaker.worked()
    back = [breaker.failed(ticket, given_up=ticket.number % 10 == 5) for ticket in TICKETS[1:21]]
    assert back == [[]] * 19 + [[TICKETS[5], TICKETS[15]]]


def test_after_some_minutes_it_says_what_failed_and_how_to_go_on():
    clock = Clock()
    breaker = opened(clock)
    clock.now = module.PATIENCE
    breaker.check_patience("the disk is full")
    clock.now += 1
    with pytest.raises(LstRobustError, match=r"^the last 20 tasks all failed \(the disk is full\)") as raised:
        breaker.check_patience("the disk is full")
    assert "kept" in str(raised.value) and "the same call goes on" in str(raised.value)
    breaker.worked()
    breaker.check_patience("no error when it is closed")
