"""Images on their way to a device. CUDA is imagined where it says so."""

from __future__ import annotations

import threading
from collections import Counter

import numpy as np
import pytest
import torch

from lst_robust.data import open_source
from lst_robust.models import resident
from lst_robust.models.resident import on_device, page_locked, resident_images

CPU = torch.device("cpu")
IMAGE = 4 * 4 * 3


@pytest.fixture
def pieces(monkeypatch) -> Counter:
    """Pieces of two images; how often each image was read."""
    monkeypatch.setattr(resident, "LOADED_BYTES", 2 * IMAGE)
    return Counter()


def numbered(read: Counter):
    lock = threading.Lock()

    def fill(indices, images):
        assert len(indices) <= 2
        with lock:
            read.update(indices)
        images[:] = np.array(indices, np.uint8)[:, None, None, None]

    return fill


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_share_a_batch_and_each_image_lies_at_its_place(pieces, workers):
    batches = [range(0, 7), [9, 8], range(20, 21)]
    found = list(on_device(numbered(pieces), batches, 4, CPU, workers))
    assert [batch[:, 0, 0, 0].tolist() for batch in found] == [list(batch) for batch in batches]
    assert all(batch.shape[1:] == (4, 4, 3) and batch.dtype is torch.uint8 for batch in found)
    assert set(pieces.values()) == {1}


def test_the_threads_of_torch_are_those_of_before(pieces):
    before = torch.get_num_threads()
    loaded = on_device(numbered(pieces), [range(4)], 4, CPU, 1)
    next(loaded)
    loaded.close()
    assert torch.get_num_threads() == before


def test_all_images_of_a_source_in_pieces(monkeypatch):
    source = open_source({"kind": "digits"}, "test", image_size=16).subset(23)
    monkeypatch.setattr(resident, "LOADED_BYTES", 5 * 16 * 16 * 3)
    images = resident_images(source, CPU, 2)
    np.testing.assert_array_equal(images.numpy(), source.read(range(23)))


def test_room_is_made_for_a_batch(pieces, monkeypatch):
    empty, asked = torch.empty, []

    def full(shape, **options):
        if "device" in options and not asked:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return empty(shape, **options)

    monkeypatch.setattr(torch, "empty", full)
    [batch] = on_device(numbered(pieces), [range(5)], 4, CPU, 1, lambda: asked.append(1) is None)
    assert batch[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4] and asked == [1]


class Imagined:
    """A CUDA device that does nothing before the host waits: the events that the host has waited for."""

    def __init__(self) -> None:
        self.recorded, self.waited = 0, []

    def record_event(self):
        number, self.recorded = self.recorded, self.recorded + 1
        event = type("Event", (), {"synchronize": lambda _: self.waited.append(number)})
        return event()


def test_the_host_waits_once_much_is_under_way(pieces, monkeypatch):
    """Else a device that is slower than the threads would make them lock memory for the whole set."""
    device = Imagined()
    monkeypatch.setattr(resident, "asynchronous", lambda _: True)
    monkeypatch.setattr(resident, "page_locked", lambda shape, _: torch.empty(tuple(shape), dtype=torch.uint8))
    monkeypatch.setattr(resident, "UNDER_WAY_BYTES", 3 * 2 * IMAGE)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: device)
    [batch] = on_device(numbered(pieces), [range(10)], 4, CPU, 1)
    assert batch[:, 0, 0, 0].tolist() == list(range(10))
    assert device.recorded == 5 and device.waited == [0, 1], "three of five copies may be under way"


def test_threads_work_for_the_device_of_the_one_that_began(pieces, monkeypatch):
    chosen, device = [], Imagined()
    monkeypatch.setattr(
        torch.cuda, "current_device", lambda: 2 if threading.current_thread().name == "MainThread" else 0
    )
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: device)
    monkeypatch.setattr(resident, "page_locked", lambda shape, _: torch.empty(tuple(shape), dtype=torch.uint8))
    loaded = resident._loaded(numbered(pieces), [range(2)], 4, torch.device("cuda"), 1)
    assert [len(piece) for piece in loaded] == [2] and chosen == [2]


def test_where_the_host_locks_no_more_memory_it_takes_usual_one(monkeypatch):
    empty = torch.empty

    def refused(shape, pin_memory=False, **options):
        if pin_memory:
            raise RuntimeError("CUDA error: out of memory")
        return empty(shape, **options)

    monkeypatch.setattr(torch, "empty", refused)
    assert page_locked((2, 4, 4, 3), torch.device("cuda")).shape == (2, 4, 4, 3)
