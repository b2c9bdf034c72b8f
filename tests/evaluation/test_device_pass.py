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
from lst_robust.errors import DeviceError
from lst_robust.evaluation import cell_feed, device_pass
from lst_robust.evaluation.inference import InferenceRunner
from lst_robust.evaluation.outcome_tensors import OutcomeTensors
from lst_robust.models import resident
from lst_robust.records.record import Record
from lst_robust.runtime.progress import Silent
from lst_robust.torch_engine import streams
from tests.evaluation.conftest import TORCH_NOISE as NOISE
from tests.evaluation.test_measure import Counting
from tests.evaluation.test_worker import Breaking
from tests.fixtures.networks import PixelSum, Unsteady, classifier

CELLS = [CLEAN_CELL, Cell("gaussian_noise", 3), Cell("gaussian_noise", 5)]


def plain(record: Record) -> dict:
    """What was measured."""
    return record.model_dump(exclude={"provenance", "protocol", "model"})


def test_the_records_are_those_of_the_cpus_engine_whose_bytes_it_gives(evaluate, model):
    ours, said = evaluate(model, "torch", batch_size=7, **NOISE)
    theirs, _ = evaluate(model, "cpu", batch_size=7, **NOISE | {"engine": "cpu"})
    assert list(map(plain, ours.records.values())) == list(map(plain, theirs.records.values()))
    assert (ours.run.protocol.engine, theirs.run.protocol.engine) == ("lst-robust-torch 1", "lst-robust 1")
    assert ours.run.digest != theirs.run.digest and said == []
    assert {record.provenance.device.partition(", ")[2] for record in ours.records.values()} == {"corruptions on it"}
    assert {record.provenance.device.partition(", ")[2] for record in theirs.records.values()} == {""}


def test_several_networks_take_each_chunk_in_turn(many, in_pieces, monkeypatch):
    networks = {"first": classifier(nn.ReLU()), "second": classifier(nn.GELU()), "sum": PixelSum()}
    together, _ = many(networks)
    for one in together:
        alone, _ = many({one.run.model.name: networks[one.run.model.name]}, "alone")
        assert list(map(plain, one.records.values())) == list(map(plain, alone.evaluations[0].records.values()))
        assert one.measured == 3


class Copies(TorchDispatchMode):
    """Counts what makes the host wait for a device: one value, a copy to the CPU, a shape that depends on values; and
    copies from the host by other ways than those that go through page-locked memory on CUDA."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "is_nonzero")

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[str] = []
        self.from_host: list[str] = []
        self.sending = False

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        indices = args[1] if name.startswith("index") and len(args) > 1 and isinstance(args[1], (list, tuple)) else ()
        by_mask = any(isinstance(one, torch.Tensor) and one.dtype == torch.bool for one in indices)
        if by_mask or any(word in name for word in self.WAITING):
            self.waiting.append(name)
        result = function(*args, **(kwargs or {}))
        if not self.sending and self._comes_from_host(name, args, result):
            self.from_host.append(f"{name} {tuple(result.shape)}")
        return result

    @staticmethod
    def _comes_from_host(name: str, args: tuple, result: object) -> bool:
        source = {"_to_copy": 0, "copy_": 1}.get(name)
        return source is not None and args[source].device.type == "cpu" != result.device.type

    def sends(self, send):
        """`send`, whose copies are those that nobody waits for on CUDA."""

        def sent(*args):
            self.sending = True
            try:
                return send(*args)
            finally:
                self.sending = False

        return sent


def test_copies_from_the_host_are_seen():
    meta, copies = torch.device("meta"), Copies()
    with copies:
        torch.ones(3).to(meta)
        torch.empty(3, device=meta).copy_(torch.ones(3))
        torch.zeros(3, device=meta).to(torch.float64)
        copies.sends(torch.Tensor.to)(torch.ones(3), meta)
    assert copies.from_host == ["_to_copy (3,)", "copy_ (3,)"]


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
            for name in ("tensor", "as_tensor"):  # a list goes to CUDA while the host waits; torch shows no copy here
                forbidden.setattr(torch, name, lambda *_, name=name, **__: pytest.fail(f"torch.{name} in a cell"))
            forbidden.setattr(OutcomeTensors, "read", reading)
            return outcomes(self, cell, *args)

    monkeypatch.setattr(device_pass.DevicePass, "outcomes", watched)
    found, _ = evaluate(classifier(nn.ReLU()), batch_size=16, **NOISE)
    assert reads == inside == CELLS and copies.waiting == [] and len(found.records) == 3


def test_a_cell_goes_through_a_device_that_gives_nothing_back(suite, tmp_path, monkeypatch):
    """torch's device `meta` has no values: whoever asks for one fails."""
    monkeypatch.setattr("lst_robust.evaluation.options.resolve_device", lambda name: torch.device("meta"))
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
    copies, outcomes = Copies(), device_pass.DevicePass.outcomes
    for place, name in ((device_pass, "sent"), (streams, "sent"), (resident._Way, "copy")):
        monkeypatch.setattr(place, name, copies.sends(getattr(place, name)))

    def watched(*args):
        with copies:
            return outcomes(*args)

    monkeypatch.setattr(device_pass.DevicePass, "outcomes", watched)
    found = lst_robust.evaluate(classifier(nn.ReLU()), suite, results_dir=tmp_path, batch_size=16, **NOISE)
    assert asked == [41, 41, 41] and found.measured == 3
    assert copies.from_host == [], "all that goes there goes through page-locked memory"


def test_one_network_gets_its_batches_from_parts_that_are_corrupted_at_once(evaluate, model, monkeypatch):
    from lst_robust.torch_engine import TensorCorruptor

    made, sizes, batches = TensorCorruptor.__call__, [], []
    classify = InferenceRunner.classify

    def corrupted(self, images, streams):
        sizes.append(len(images))
        return made(self, images, streams)

    def classified(self, images, *args):
        batches.append(len(images))
        return classify(self, images, *args)

    monkeypatch.setattr(TensorCorruptor, "__call__", corrupted)
    monkeypatch.setattr(InferenceRunner, "classify", classified)
    monkeypatch.setattr(cell_feed, "CALL_BYTES", 25 * 32 * 32 * 3)
    evaluate(model, batch_size=8, **NOISE)
    assert sizes == [24, 16] * 2 and batches == [8] * 15


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
