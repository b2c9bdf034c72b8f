"""What happens when the memory of a device runs out in a cell: torch's engine, here on torch's CPU device."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch
from torch import nn

from lst_robust.errors import LstRobustError
from lst_robust.evaluation import cell_feed, device_corruption
from lst_robust.evaluation.inference import InferenceRunner
from lst_robust.evaluation.turns import Turns
from lst_robust.models import resident
from lst_robust.torch_engine import TensorCorruptor
from tests.evaluation.test_device_pass import CELLS, NOISE, plain
from tests.evaluation.test_inference import Small
from tests.fixtures.networks import PixelSum, classifier


@pytest.mark.parametrize("free", [10**9, 0], ids=["resident", "streamed"])
def test_images_stay_on_the_device_where_half_of_the_free_memory_holds_them(evaluate, in_pieces, monkeypatch, free):
    reads, read = [], resident.prefetch

    def counted(work, parts, *rest):
        reads.append(len(parts))
        return read(work, parts, *rest)

    monkeypatch.setattr(resident, "prefetch", counted)
    monkeypatch.setattr(resident, "room_for_images", lambda device: free)
    found, said = evaluate(classifier(nn.ReLU()), "torch", batch_size=16, workers=2, **NOISE)
    alone, _ = evaluate(classifier(nn.ReLU()), "cpu", batch_size=16, workers=2, **NOISE | {"engine": "cpu"})
    for cell in CELLS:
        np.testing.assert_array_equal(found.records[cell].predicted_classes(), alone.records[cell].predicted_classes())
    if free:
        assert reads == [2] and said == [], "once for three cells"
    else:
        assert reads == [3, 3, 3] and len(said) == 1
        assert said[0].startswith(
            "the 40 clean images (0.0 GB) are too many to stay in the memory of cpu: they go there"
        )


def test_images_may_take_half_of_what_is_free_on_cuda(monkeypatch):
    monkeypatch.setattr(resident, "free_memory", lambda device: 1000)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 700)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 500)
    assert resident.room_for_images(torch.device("cuda")) == 600, "with what torch has let go"


def test_where_the_memory_is_in_pieces_the_images_are_streamed(evaluate, model, monkeypatch):
    empty = torch.empty

    def full(shape, *arguments, **options):
        if shape[0] == 40 and "device" in options:  # all images at once
            raise torch.cuda.OutOfMemoryError("out of memory")
        return empty(shape, *arguments, **options)

    monkeypatch.setattr(torch, "empty", full)
    found, said = evaluate(model, **NOISE)
    assert len(found.records) == 3 and "in batches" in said[0]


def test_out_of_memory_halves_the_batch_and_keeps_what_is_done(evaluate):
    small, large = Small(4), Small(40)
    found, said = evaluate(small, "small", batch_size=10, **NOISE)
    whole, _ = evaluate(large, "large", batch_size=10, **NOISE)
    assert list(map(plain, found.records.values())) == list(map(plain, whole.records.values()))
    assert [line for line in said if "at a time" in line] == [
        "cpu has not enough memory for 10 images at a time: going on with half",
        "cpu has not enough memory for 5 images at a time: going on with half",
    ]


def test_a_corruption_that_finds_no_memory_is_made_in_halves(evaluate, model, monkeypatch):
    made, sizes = TensorCorruptor.__call__, []

    def crowded(self, images, streams):
        sizes.append(len(images))
        if len(images) > 3:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return made(self, images, streams)

    expected, _ = evaluate(model, "whole", batch_size=8, **NOISE)
    monkeypatch.setattr(device_corruption, "CHUNK_BYTES", 8 * 32 * 32 * 3)
    monkeypatch.setattr(TensorCorruptor, "__call__", crowded)
    found, said = evaluate(model, "halves", batch_size=8, **NOISE)
    assert list(map(plain, found.records.values())) == list(map(plain, expected.records.values()))
    assert sizes[:4] == [8, 8, 4, 2] and set(sizes[4:]) == {2}, "from what the engine takes at once; kept for all cells"
    assert "too many to stay" in said[0] and ["with half" in line for line in said] == [False, True, True]


def test_the_clean_images_leave_a_device_that_has_no_memory_to_corrupt_them(evaluate, model, in_pieces, monkeypatch):
    """In the middle of a cell; nothing is made in halves where that is enough."""
    made, held, calls = TensorCorruptor.__call__, [], []
    bring = resident.resident_images

    def brought(*args):
        images = bring(*args)
        held.append(weakref.ref(images))
        return images

    def crowded(self, images, streams):
        calls.append(len(images))
        if len(calls) > 2 and held[-1]() is not None:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return made(self, images, streams)

    expected, _ = evaluate(model, "whole", batch_size=8, **NOISE)
    monkeypatch.setattr("lst_robust.evaluation.resident.resident_images", brought)
    monkeypatch.setattr(TensorCorruptor, "__call__", crowded)
    found, said = evaluate(model, "streamed", batch_size=8, **NOISE)
    assert list(map(plain, found.records.values())) == list(map(plain, expected.records.values()))
    assert calls == [16, 16, 8, 8, 16, 16, 8], "the third part of the first noisy cell is made again, and no other"
    assert len(held) == 1 and len(said) == 1 and "too many to stay in the memory of cpu" in said[0]


def test_networks_that_wait_go_before_the_clean_images_and_one_alone_stays(many, evaluate, monkeypatch):
    asked, room = [], [True, False]

    def make_room(self, but=None):
        asked.append(but)
        return room.pop(0) if room else False

    def full(squares, positions, make_room):
        assert make_room(), "a network has gone"
        with pytest.raises(cell_feed._InTheWay):
            make_room()
        return squares

    monkeypatch.setattr(Turns, "make_room", make_room)
    monkeypatch.setattr(device_corruption.DeviceCorruption, "maker", lambda *_: full)
    many({"a": PixelSum(), "b": classifier(nn.ReLU())}, severities=[3])
    assert asked == [None, None]
    room[:], asked[:] = [True, False], []
    evaluate(classifier(nn.ReLU()), "alone", **NOISE | {"severities": [3]})
    assert [type(one) for one in asked] == [InferenceRunner] * 2


def test_no_room_for_the_images_is_one_line(evaluate, model, monkeypatch):
    def full(*_):
        raise torch.cuda.OutOfMemoryError("out of memory")

    monkeypatch.setattr("lst_robust.evaluation.cell_feed.ahead", full)
    with pytest.raises(LstRobustError, match="cpu has not enough memory for the images of a cell: end other programs"):
        evaluate(model, **NOISE)
