"""Cells whose images and outcomes stay on the device: torch's engine, here on torch's CPU device."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import lst_robust
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import DeviceError, LstRobustError
from lst_robust.evaluation import cell_feed, device_corruption, device_pass
from lst_robust.evaluation.inference import InferenceRunner
from lst_robust.evaluation.outcome_tensors import OutcomeTensors
from lst_robust.models import resident
from lst_robust.records.record import Record
from lst_robust.runtime.progress import Silent
from tests.evaluation.test_inference import Small
from tests.evaluation.test_measure import Counting
from tests.evaluation.test_worker import Breaking, Named
from tests.fixtures.networks import PixelSum, Unsteady, classifier

NOISE = {"corruptions": ["gaussian_noise"], "severities": [3, 5], "engine": "torch"}
CELLS = [CLEAN_CELL, Cell("gaussian_noise", 3), Cell("gaussian_noise", 5)]


def plain(record: Record) -> dict:
    """What was measured."""
    return record.model_dump(exclude={"provenance", "protocol", "model"})


@pytest.fixture
def many(suite, tmp_path, said):
    """many(networks by name, folder="many", **options) -> (evaluations, what was said)."""

    def call(models, folder: str = "many", **options):
        said()
        for name, network in models.items():
            network.config = Named(name)
        asked = {"results_dir": tmp_path / folder, "batch_size": 8, **NOISE, **options}
        return lst_robust.evaluate_many(list(models.values()), suite, **asked), said()

    return call


@pytest.fixture
def in_pieces(monkeypatch):
    """16 images at a time, for one network and for several."""
    for size in ("CALL_BYTES", "CHUNK_BYTES"):
        monkeypatch.setattr(cell_feed, size, 16 * 32 * 32 * 3)


def test_the_records_are_those_of_the_cpus_engine_whose_bytes_it_gives(evaluate, model):
    ours, said = evaluate(model, "torch", batch_size=7, **NOISE)
    theirs, _ = evaluate(model, "cpu", batch_size=7, **NOISE | {"engine": "cpu"})
    assert list(map(plain, ours.records.values())) == list(map(plain, theirs.records.values()))
    assert (ours.run.protocol.engine, theirs.run.protocol.engine) == ("lst-robust-torch 1", "lst-robust 1")
    assert ours.run.digest != theirs.run.digest and said == []
    assert {record.provenance.device.partition(", ")[2] for record in ours.records.values()} == {"corruptions on it"}
    assert {record.provenance.device.partition(", ")[2] for record in theirs.records.values()} == {""}


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


def test_several_networks_take_each_chunk_in_turn(many, in_pieces, monkeypatch):
    networks = {"first": classifier(nn.ReLU()), "second": classifier(nn.GELU()), "sum": PixelSum()}
    together, _ = many(networks)
    for one in together:
        alone, _ = many({one.run.model.name: networks[one.run.model.name]}, "alone")
        assert list(map(plain, one.records.values())) == list(map(plain, alone.evaluations[0].records.values()))
        assert one.measured == 3


class Copies(TorchDispatchMode):
    """Counts what makes the host wait for a device: one value, a copy to the CPU, a shape that depends on values."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "is_nonzero")

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        indices = args[1] if name.startswith("index") and len(args) > 1 and isinstance(args[1], (list, tuple)) else ()
        by_mask = any(isinstance(one, torch.Tensor) and one.dtype == torch.bool for one in indices)
        if by_mask or any(word in name for word in self.WAITING):
            self.waiting.append(name)
        return function(*args, **(kwargs or {}))


def test_nothing_waits_for_the_device_inside_of_a_cell(evaluate, monkeypatch):
    """Of each cell there is one copy to the host: that of its outcomes."""
    copies, reads, inside = Copies(), [], []
    read, outcomes = OutcomeTensors.read, device_pass.DevicePass.outcomes

    def watched(self, cell, *args):
        inside.append(cell)
        with copies, monkeypatch.context() as forbidden:

            def reading(tensors):
                reads.append(cell)
                forbidden.undo()
                return read(tensors)

            for name in ("cpu", "item", "tolist", "__bool__", "__float__", "__int__"):
                forbidden.setattr(torch.Tensor, name, lambda *_, name=name: pytest.fail(f"Tensor.{name} in a cell"))
            forbidden.setattr(OutcomeTensors, "read", reading)
            return outcomes(self, cell, *args)

    monkeypatch.setattr(device_pass.DevicePass, "outcomes", watched)
    found, _ = evaluate(classifier(nn.ReLU()), batch_size=16, **NOISE)
    assert reads == inside == CELLS and copies.waiting == [] and len(found.records) == 3


def test_a_cell_goes_through_a_device_that_gives_nothing_back(suite, tmp_path, monkeypatch):
    """torch's device `meta` has no values: whoever asks for one fails."""
    monkeypatch.setattr("lst_robust.evaluation.request.resolve_device", lambda name: torch.device("meta"))
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr("lst_robust.evaluation.plan.probe_answers", lambda *_: np.zeros((4, 10), np.float32))
    monkeypatch.setattr(resident, "room_for_images", lambda device: 10**9)
    asked, read = [], OutcomeTensors.read

    def values_at_last(self):
        assert self._values.device.type == "meta"
        asked.append(len(self._values[0]))
        self._values = torch.ones(self._values.shape, dtype=self._values.dtype)
        return read(self)

    monkeypatch.setattr(OutcomeTensors, "read", values_at_last)
    found = lst_robust.evaluate(classifier(nn.ReLU()), suite, results_dir=tmp_path, batch_size=16, **NOISE)
    assert asked == [41, 41, 41] and found.measured == 3


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
    from lst_robust.torch_engine import TensorCorruptor

    made, sizes = TensorCorruptor.__call__, []

    def crowded(self, images, streams):
        sizes.append(len(images))
        if len(images) > 3:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return made(self, images, streams)

    expected, _ = evaluate(model, "whole", batch_size=8, **NOISE)
    monkeypatch.setattr(device_corruption, "CHUNK_BYTES", 8 * 32 * 32 * 3)
    monkeypatch.setattr(TensorCorruptor, "__call__", crowded)
    found, _ = evaluate(model, "halves", batch_size=8, **NOISE)
    assert list(map(plain, found.records.values())) == list(map(plain, expected.records.values()))
    assert sizes[:3] == [8, 4, 2] and set(sizes[3:]) == {2}, "from what the engine takes at once; kept for all cells"


def test_no_room_for_the_images_is_one_line(evaluate, model, monkeypatch):
    def full(*_):
        raise torch.cuda.OutOfMemoryError("out of memory")

    monkeypatch.setattr("lst_robust.evaluation.cell_feed.ahead", full)
    with pytest.raises(LstRobustError, match="cpu has not enough memory for the images of a cell: end other programs"):
        evaluate(model, **NOISE)


class Gone(Breaking):
    """Its device vanishes after so many batches."""

    def __init__(self, after: int) -> None:
        super().__init__(after, RuntimeError("CUDA error: unspecified launch failure\nwords for programmers"))


@pytest.mark.parametrize("engine", ["cpu", "torch"])
def test_a_device_that_vanishes_ends_the_call_and_keeps_what_is_finished(many, engine):
    with pytest.raises(DeviceError, match=r"cpu does not answer any more \(CUDA error: unspecified") as line:
        many({"good": PixelSum(), "gone": Gone(7)}, engine=engine)
    assert line.value.exit_code == 3 and "what is finished is kept" in str(line.value)
    again, _ = many({"good": PixelSum(), "gone": PixelSum()}, engine=engine)
    assert [one.measured for one in again] == [2, 3] and not again.failed, "the good one's clean cell was there"


def test_a_device_that_vanishes_under_one_network_is_the_same_line(evaluate):
    with pytest.raises(DeviceError, match="does not answer any more"):
        evaluate(Gone(2), batch_size=8, **NOISE)


def test_while_a_network_is_prepared_too(many):
    with pytest.raises(DeviceError, match="does not answer any more"):
        many({"good": PixelSum(), "gone": Gone(-2)})


def test_a_network_that_breaks_down_is_named_and_the_others_go_on(many, in_pieces):
    broken = Breaking(7, RuntimeError("no kernel"))
    outcome, said = many({"good": PixelSum(), "bad": broken, "unsteady": Unsteady()}, corruptions=["gaussian_noise"])
    assert [(one.run.model.name, one.measured) for one in outcome] == [("good", 3), ("bad", 1), ("unsteady", 3)]
    assert outcome.failed == (("bad", "RuntimeError: no kernel"),)
    assert said == ["bad: RuntimeError: no kernel; it is left out, and the others go on"]


class Blind(PixelSum):
    """Returns NaN for noisy images, but not for the probe's."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) * (torch.nan if self.calls == 9 else 1.0)


def test_nan_costs_a_network_its_cell(many, evaluate):
    outcome, said = many({"steady": PixelSum(), "blind": Blind()})
    steady, blind = outcome
    assert steady.measured == 3 and blind.measured == 2 and list(blind.failed) == [CELLS[1]]
    assert said == ["blind: gaussian_noise-3: the network returned NaN or infinite logits; the cell is left out"]
    alone, _ = evaluate(Blind(), "alone", batch_size=8, **NOISE)
    assert list(alone.failed) == [CELLS[1]] and alone.measured == 2


def test_progress_counts_each_cell_of_each_network_once(many):
    observer = Counting()
    many({"a": PixelSum(), "b": classifier(nn.ReLU())}, observer=observer)
    assert observer.steps == pytest.approx(6) and observer.finished == 1


def test_what_is_wrong_with_the_observer_is_not_put_down_to_a_network(many):
    class Cancelling(Silent):
        def advance(self, steps: float = 1, status: str = "") -> None:
            raise TimeoutError("enough")

    with pytest.raises(TimeoutError, match="enough"):
        many({"a": PixelSum(), "b": classifier(nn.ReLU())}, observer=Cancelling())


def test_the_cpus_engine_on_another_device_goes_the_same_way(evaluate, monkeypatch):
    """As on CUDA: what the host has made is sent to the device, and outcomes come back once."""
    expected, _ = evaluate(classifier(nn.ReLU()), "cpu", batch_size=16, **NOISE | {"engine": "cpu"})
    monkeypatch.setattr("lst_robust.evaluation.inference.InferenceSettings.on_device", True)
    monkeypatch.setattr(InferenceRunner, "outcomes", lambda *_: pytest.fail("it went the CPU's way"))
    found, _ = evaluate(classifier(nn.ReLU()), "sent", batch_size=16, **NOISE | {"engine": "cpu"})
    assert list(map(plain, found.records.values())) == list(map(plain, expected.records.values()))
    assert found.run.digest == expected.run.digest
