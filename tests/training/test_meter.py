"""What is read of an epoch's loss and error, and when."""

from __future__ import annotations

import time

import pytest
import torch
from torch import distributed

from lst_robust.errors import NonFiniteError
from lst_robust.runtime.process_group import Ranks
from lst_robust.training.meter import Meter, SlowMeter, meter_of

CPU, ALONE = torch.device("cpu"), Ranks()


def totals(loss: float, wrong: int) -> torch.Tensor:
    return torch.tensor([loss, wrong], dtype=torch.float64)


def values(one: Meter) -> tuple[float, int, int, int]:
    return one.losses, one.wrong, one.seen, one.steps


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told to go."""

    class Clock:
        now = 0.0

    monkeypatch.setattr(time, "perf_counter", lambda: Clock.now)
    return Clock


def test_a_meter_for_each_device(as_device):
    assert type(meter_of(0, CPU, ALONE)) is Meter
    as_device()
    assert type(meter_of(0, CPU, ALONE)) is SlowMeter


@pytest.mark.parametrize("kind", [Meter, SlowMeter])
def test_both_add_up_the_same(kind):
    one = kind(0, CPU, ALONE)
    for step in range(50):
        one.add(totals(0.5 + step, step % 3), 4)
    one.finish()
    assert values(one) == (25 + 49 * 25, 49, 200, 50)


def test_a_step_of_the_cpu_is_read_at_once():
    one = Meter(0, CPU, ALONE)
    one.add(totals(2, 1), 8)
    assert values(one) == (2.0, 1, 8, 1) and one.news() == 1 and one.news() == 0


def test_a_device_is_read_about_once_a_second(clock):
    one, read_after = SlowMeter(0, CPU, ALONE), []
    for step in range(1, 251):
        clock.now += 1 / 64
        one.add(totals(1, 0), 1)
        if one.news():
            read_after.append(step)
    assert read_after == [1, 2, 66, 130, 194]
    one.finish()
    assert one.steps == one.seen == 250 and one.news() == 250 - 194
    one.finish()
    assert one.news() == 0


def test_slow_steps_are_read_each_and_very_quick_ones_not_too_late(clock):
    one = SlowMeter(0, CPU, ALONE)
    for _ in range(5):
        clock.now += 30
        one.add(totals(1, 0), 1)
        assert one.news() == 1
    one, read_after = SlowMeter(0, CPU, ALONE), []
    for step in range(1, 2100):
        clock.now += 1e-6
        one.add(totals(1, 0), 1)
        if one.news():
            read_after.append(step)
    assert read_after[-2:] == [1002, 2002]


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_found_at_the_next_reading(loss):
    with pytest.raises(NonFiniteError, match=f"the loss became {loss} in epoch 3; lower the recipe's lr"):
        Meter(2, CPU, ALONE).add(totals(loss, 0), 1)
    one = SlowMeter(2, CPU, ALONE)
    one.add(totals(1, 0), 1)
    one._next = 100
    for some in (loss, 1.0, 1.0):
        one.add(totals(some, 0), 1)
    with pytest.raises(NonFiniteError, match=f"the loss became {loss} in epoch 3; lower the recipe's lr"):
        one.finish()


def test_processes_add_up_when_they_read_and_read_after_the_same_batch(monkeypatch, clock):
    """The fellow of this process has the same sums, and takes three times as long for a batch."""
    calls = []

    def all_reduce(tensor: torch.Tensor) -> None:
        calls.append(len(tensor))
        tensor.copy_(tensor * torch.tensor([2.0, 2.0, 4.0], dtype=torch.float64)[: len(tensor)])

    monkeypatch.setattr(distributed, "all_reduce", all_reduce)
    one, read_after = SlowMeter(0, CPU, Ranks(0, 2)), []
    for step in range(1, 201):
        clock.now += 1 / 64
        one.add(totals(1, 1), 2)
        if one.news():
            read_after.append(step)
    one.finish()
    assert values(one) == (400.0, 400, 400, 200)
    assert len(calls) == len(read_after) + (read_after[-1] < 200) and set(calls) == {3}
    assert read_after[:4] == [1, 2, 34, 66], "a batch takes 1/32 s in the mean"

    each = Meter(0, CPU, Ranks(0, 2))
    each.add(totals(1, 1), 2)
    assert values(each) == (2.0, 2, 2, 1) and calls[-1] == 2


def test_there_is_a_limit_to_the_steps_between_two_readings(clock):
    one, read_after = SlowMeter(0, CPU, Ranks()), []
    for step in range(1, 2100):
        clock.now += 2.0**-20
        one.add(totals(1, 1), 2)
        if one.news():
            read_after.append(step)
    assert read_after[:4] == [1, 2, 1002, 2002], "not a million"
