"""How images come to a device ahead of the network. Streams and events are imagined: what is done on them is written
down in order."""

from __future__ import annotations

import weakref
from contextlib import closing, contextmanager
from typing import ClassVar

import numpy as np
import pytest
import torch

from lst_robust.evaluation import feeding
from lst_robust.evaluation.feeding import Done, Stopwatch, ahead, sent_in_turn

CPU = torch.device("cpu")


def images(n: int, level: int) -> torch.Tensor:
    return torch.full((n, 2, 2, 3), level, dtype=torch.uint8)


class Event:
    """done: what `query` says; at: milliseconds."""

    log: ClassVar[list[str]] = []
    time = 0.0

    def __init__(self, name: str = "", enable_timing: bool = False) -> None:
        self.name, self.done, self.at = name, False, 0.0

    def record(self, stream: Stream) -> None:
        self.at = Event.time

    def query(self) -> bool:
        return self.done

    def elapsed_time(self, end: Event) -> float:
        return end.at - self.at

    def synchronize(self) -> None:
        Event.log.append(f"host waits for {self.name}")


class Stream:
    def __init__(self, name: str, log: list) -> None:
        self.name, self.log, self.events = name, log, 0

    def record_event(self) -> Event:
        self.events += 1
        self.log.append(f"{self.name} records {self.name}{self.events}")
        return Event(f"{self.name}{self.events}")

    def wait_event(self, event: Event) -> None:
        self.log.append(f"{self.name} waits for {event.name}")

    def wait_stream(self, other: Stream) -> None:
        self.log.append(f"{self.name} waits for all of {other.name}")


@pytest.fixture
def log(monkeypatch) -> list[str]:
    """What an imagined CUDA device is told, in order. Its memory is the host's."""
    told: list[str] = []
    main, side = Stream("main", told), Stream("side", told)
    now = [main]

    @contextmanager
    def on(stream):
        now.append(stream)
        yield
        now.pop()

    monkeypatch.setattr(feeding, "asynchronous", lambda device: True)
    monkeypatch.setattr(feeding, "side_stream", lambda device: side)
    monkeypatch.setattr(feeding, "page_locked", lambda shape, device: torch.empty(shape, dtype=torch.uint8))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: now[-1])
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(Event, "log", told)
    return told


def test_two_buffers_take_turns_and_none_is_written_while_it_is_read(log):
    def made():
        for level in range(4):
            log.append(f"{torch.cuda.current_stream(CPU).name} makes {level}")
            yield images(2 if level < 3 else 1, level)

    seen, places = [], []
    for batch in ahead(made(), CPU):
        log.append(f"main reads {int(batch[0, 0, 0, 0])}")
        seen.append((len(batch), batch.unique().tolist()))
        places.append(batch.data_ptr())
    assert seen == [(2, [0]), (2, [1]), (2, [2]), (1, [3])]
    assert places[0] == places[2] != places[1] == places[3]
    assert log == [
        "side waits for all of main",
        *("side makes 0", "side records side1", "main waits for side1", "main reads 0", "main records main1"),
        *("side makes 1", "side records side2", "main waits for side2", "main reads 1", "main records main2"),
        "side makes 2",
        *("side waits for main1", "side records side3", "main waits for side3", "main reads 2", "main records main3"),
        "side makes 3",
        *("side waits for main2", "side records side4", "main waits for side4", "main reads 3", "main records main4"),
        "side waits for all of main",
    ]


def test_memory_of_a_buffer_that_is_replaced_is_free_only_after_the_network_has_read_it(log, monkeypatch):
    """The side stream may give it to another tensor at once, so it has waited by then."""
    empty = torch.empty

    def made(*shape, **options):
        buffer = empty(*shape, **options)
        if "device" in options:
            name = f"buffer of {len(buffer)}"
            weakref.finalize(buffer.untyped_storage(), log.append, f"{name} is free")
            log.append(name)
        return buffer

    monkeypatch.setattr(torch, "empty", made)
    batches = ahead((images(n, n) for n in (1, 2, 3)), CPU)
    for n in (1, 2, 3):
        batch = next(batches)
        log.append(f"main reads {len(batch)}")
        assert len(batch) == n
        del batch
    at = log.index
    assert at("main reads 1") < at("main records main1") < at("side waits for main1")
    assert at("side waits for main1") < at("buffer of 1 is free") < at("buffer of 3"), "and there is room for both"


def crowded(monkeypatch, room: list[bool]) -> list[str]:
    """torch.empty finds no memory on the device before `make_room` was asked; the list says who was called."""
    empty, called = torch.empty, []

    def full(*shape, **options):
        if "device" in options:
            called.append("empty")
            if room:
                raise torch.cuda.OutOfMemoryError("out of memory")
        return empty(*shape, **options)

    monkeypatch.setattr(torch, "empty", full)
    return called


@pytest.mark.parametrize("sends", [False, True])
def test_room_is_made_for_what_comes_to_the_device(log, monkeypatch, sends):
    room = [True, True]
    called = crowded(monkeypatch, room)

    def make_room() -> bool:
        called.append("make room")
        return room.pop()

    arrays = [images(2, 7).numpy()]
    source = sent_in_turn(arrays, CPU, make_room) if sends else ahead(map(torch.from_numpy, arrays), CPU, make_room)
    assert int(next(source)[0, 0, 0, 0]) == 7
    assert called == ["empty", "make room", "empty", "make room", "empty"]
    del called[:]
    room[:] = [True]
    with pytest.raises(torch.cuda.OutOfMemoryError):
        next(ahead(iter([images(2, 7)]), CPU, lambda: False))
    assert called == ["empty"]


def test_each_device_has_a_side_stream_of_its_own_whichever_is_current(monkeypatch):
    made, current = [], [1]
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: made.append(device) or f"stream of {device}")
    monkeypatch.setattr(torch.cuda, "current_device", lambda: current[0])
    feeding._side_stream.cache_clear()
    try:
        of_current = feeding.side_stream(torch.device("cuda"))
        assert of_current == feeding.side_stream(torch.device("cuda:1")) == "stream of cuda:1"
        current[0] = 0
        assert feeding.side_stream(torch.device("cuda")) == "stream of cuda:0"
        assert made == [torch.device("cuda:1"), torch.device("cuda:0")]
    finally:
        feeding._side_stream.cache_clear()


def test_a_larger_batch_gets_a_larger_buffer_and_what_is_left_early_ends_in_order(log):
    with closing(ahead(iter([images(1, 1), images(1, 2), images(3, 3), images(3, 4)]), CPU)) as batches:
        assert [len(next(batches)) for _ in range(3)] == [1, 1, 3]
    assert log[-1] == "side waits for all of main"


def test_the_host_waits_for_the_copy_before_the_last_one_only(log):
    arrays = [images(2, level).numpy() for level in range(4)]
    levels = [int(batch[0, 0, 0, 0]) for batch in sent_in_turn(arrays, CPU)]
    assert levels == [0, 1, 2, 3]
    waits = [line for line in log if line.startswith("host")]
    assert waits == ["host waits for main1", "host waits for main2"]
    assert log.index(waits[0]) == log.index("main records main3") - 1


def test_time_is_that_of_the_device(log):
    watch = Stopwatch(CPU)
    for took in (3.0, 4.0):
        with watch.running():
            Event.time += took * 1000
        Event.time += 500
    assert watch.seconds() == 7


def test_progress_is_what_is_known_to_be_done(log):
    steps: list[float] = []
    done = Done(CPU, steps.append)
    for _ in range(3):
        done.after_this(0.25)
    assert steps == []
    done._begun[0][0].done = done._begun[2][0].done = True
    done.after_this(0.25)
    assert steps == [0.25], "in order"
    done.all()
    assert steps == [0.25] * 4


def test_without_streams_nothing_is_copied_that_need_not_be():
    arrays = [np.zeros((2, 2, 2, 3), np.uint8)]
    [batch] = ahead(sent_in_turn(arrays, CPU), CPU)
    assert batch.data_ptr() == arrays[0].ctypes.data
    steps: list[float] = []
    Done(CPU, steps.append).after_this(1)
    assert steps == [1]
    watch = Stopwatch(CPU)
    with watch.running():
        pass
    assert 0 < watch.seconds() < 1
