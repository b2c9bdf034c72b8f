"""Networks take turns on a device whose memory is small. The device is imagined: it counts who lies on it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from lst_robust.evaluation.turns import Turns


class Device:
    """A device with room for so many networks."""

    def __init__(self, room: int) -> None:
        self.room, self.there = room, list[str]()

    def runner(self, name: str) -> Runner:
        return Runner(Network(name, self))


class Runner:
    settings = SimpleNamespace(device="gpu")

    def __init__(self, network: Network) -> None:
        self.network = network

    def move_to(self, device) -> None:
        self.network.to("cpu" if str(device) == "cpu" else "gpu")


class Network:
    def __init__(self, name: str, device: Device) -> None:
        self.name, self.device = name, device
        self.to("gpu")

    def to(self, place: str) -> None:
        there = self.device.there
        if place == "cpu" and self.name in there:
            there.remove(self.name)
        elif place == "gpu" and self.name not in there:
            if len(there) == self.device.room:
                raise torch.cuda.OutOfMemoryError("out of memory")
            there.append(self.name)

    def parameters(self):
        return [SimpleNamespace(device=SimpleNamespace(type="cuda" if self.name in self.device.there else "cpu"))]

    def buffers(self):
        return []


@pytest.fixture
def device() -> Device:
    return Device(room=2)


def test_networks_that_fit_stay_on_the_device(device, said):
    turns, runners = Turns(), [device.runner(name) for name in "ab"]
    for runner in runners:
        turns.add(runner)
    for runner in runners * 2:
        with turns.turn(runner):
            assert device.there == ["a", "b"]
    assert said() == []


def test_when_the_memory_runs_out_the_others_wait_on_the_cpu_from_then_on(device, said):
    turns, runners = Turns(), [device.runner(name) for name in "ab"]
    for runner in runners:
        turns.add(runner)
    with turns.turn(runners[0]):
        assert turns.make_room(), "b has gone"
        assert not turns.make_room(), "and nobody else is there"
        assert device.there == ["a"]
    for runner in runners:
        with turns.turn(runner):
            assert device.there == [runner.network.name]
        assert device.there == []
    assert said() == ["gpu has not enough memory for all networks: they wait on the CPU for their turn"]


def test_one_network_may_stay_while_the_others_make_room(device):
    turns, (first, second) = Turns(), [device.runner(name) for name in "ab"]
    turns.add(first)
    turns.add(second)
    assert turns.make_room(but=first) and device.there == ["a"]
    assert not turns.make_room(but=first), "nobody else is there"


def test_the_last_network_stays_on_a_device_that_was_too_small_for_all(device):
    turns, (first, second) = Turns(), [device.runner(name) for name in "ab"]
    turns.add(first)
    turns.add(second)
    assert turns.make_room()
    del second
    with turns.turn(first):
        assert device.there == ["a"]
    assert device.there == ["a"]


def test_a_network_that_does_not_fit_when_its_turn_comes_sends_the_others_away(device):
    turns, first = Turns(), device.runner("a")
    turns.add(first)
    late = device.runner("b")
    late.network.to("cpu")
    turns.add(late)
    device.there.append("somebody else's")
    with turns.turn(late):
        assert device.there == ["somebody else's", "b"]


def test_where_nobody_can_go_the_memory_is_too_small(device):
    turns, only = Turns(), device.runner("a")
    turns.add(only)
    only.network.to("cpu")
    device.there += ["somebody else's", "another's"]
    with pytest.raises(torch.cuda.OutOfMemoryError), turns.turn(only):
        pass


def test_a_network_that_comes_to_a_full_device_waits_at_once(device):
    turns, first = Turns(), device.runner("a")
    turns.add(first)
    assert turns.make_room()
    turns.add(device.runner("b"))
    assert device.there == []
