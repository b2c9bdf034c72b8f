"""Networks that torch.compile makes faster, for the cells of an evaluation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import lst_robust
from lst_robust.errors import LstRobustError
from lst_robust.evaluation.compiling import CompiledNetwork
from lst_robust.evaluation.inference import InferenceRunner, InferenceSettings
from lst_robust.suites import PixelStatistics
from tests.evaluation.test_device_pass import NOISE, plain
from tests.fixtures.networks import classifier

PIXELS = PixelStatistics(mean=(0.3,) * 3, std=(0.3,) * 3)


class InductorError(RuntimeError):
    __module__ = "torch._inductor.exc"


@pytest.fixture
def compiled(monkeypatch) -> list:
    """What torch.compile is asked for, and with which batches its networks are called; nothing is compiled."""
    calls: list = []

    def fake(network, **how):
        calls.append(how)

        def call(batch):
            calls.append(tuple(batch.shape))
            return network(batch)

        return call

    monkeypatch.setattr(torch, "compile", fake)
    return calls


@pytest.mark.parametrize("engine", ["cpu", "torch"])
def test_cells_go_through_it_in_batches_of_one_size_and_the_probe_does_not(evaluate, compiled, engine):
    asked = {**NOISE, "batch_size": 16, "workers": 2, "engine": engine}
    found, _ = evaluate(classifier(nn.ReLU()), "compiled", compile="reduce-overhead", **asked)
    batches = [(16, 3, 32, 32)] * 9
    assert compiled == [{"mode": "reduce-overhead", "dynamic": False}, *batches], "16, 16 and 8 images of three cells"
    as_it_is, _ = evaluate(classifier(nn.ReLU()), "plain", **asked)
    for cell, record in as_it_is.records.items():
        np.testing.assert_array_equal(found.records[cell].predicted_classes(), record.predicted_classes())
    assert found.run.digest == as_it_is.run.digest
    assert {one.provenance.device.rpartition(", ")[2] for one in found.records.values()} == {
        "compiled (reduce-overhead)"
    }


def test_few_images_are_not_filled_up_to_the_batch_size_and_less_memory_makes_the_size_smaller(compiled):
    network = CompiledNetwork(nn.Flatten(), "default")
    for n, at_once in ((5, 64), (3, 64), (2, 2), (1, 2)):
        batch = torch.rand(n, 3, 4, 4)
        assert torch.equal(network(batch, at_once), batch.flatten(1))
    assert [shape[0] for shape in compiled[1:]] == [5, 5, 2, 2]


def test_halving_makes_four_sizes_at_most_and_smaller_batches_go_through_the_network_as_it_is(compiled):
    """After eight sizes torch would compile no more, and say nothing."""
    network = CompiledNetwork(nn.Flatten(), "default")
    for at_once in (100, 50, 25, 12, 6, 3, 1):
        batch = torch.rand(at_once, 3, 2, 2)
        assert torch.equal(network(batch, at_once), batch.flatten(1))
    assert [shape[0] for shape in compiled[1:]] == [100, 50, 25], "12 is less than an eighth"


def test_a_network_that_has_moved_is_compiled_anew_without_graphs(compiled, said, monkeypatch):
    network = CompiledNetwork(nn.Flatten(), "reduce-overhead")
    network.has_moved()
    network.has_moved()
    assert compiled == [{"mode": mode, "dynamic": False} for mode in ("reduce-overhead", "default")]
    assert said() == ["a network that is moved off its device and back is compiled without CUDA graphs"]
    CompiledNetwork(nn.Flatten(), "default").has_moved()
    assert len(compiled) == 3, "without graphs it stays"


def test_a_runner_says_so_only_where_the_network_moves(compiled):
    settings = InferenceSettings(torch.device("cpu"), 8, 1, compiled="max-autotune")
    runner = InferenceRunner(classifier(nn.ReLU()), PIXELS, 10, settings, 32)
    runner.move_to(torch.device("cpu"))
    assert len(compiled) == 1
    runner.move_to(torch.device("meta"))
    assert compiled[1:] == [{"mode": "max-autotune-no-cudagraphs", "dynamic": False}]
    assert {one.device.type for one in runner.network.parameters()} == {"meta"}


def broken(error: Exception):
    def compile(network, **_):
        def call(batch):
            raise error

        return call

    return compile


def test_where_it_fails_one_line_says_what_to_do(evaluate, monkeypatch):
    monkeypatch.setattr(torch, "compile", broken(InductorError("no g++\nat all")))
    with pytest.raises(
        LstRobustError,
        match=r"cannot be compiled here \(InductorError: no g\+\+\): install a C\+\+ compiler such as g\+\+, or use "
        "--compile no",
    ):
        evaluate(classifier(nn.ReLU()), compile="default", **NOISE)


def test_an_error_of_the_network_stays_its_own(monkeypatch):
    monkeypatch.setattr(torch, "compile", broken(RuntimeError("no kernel")))
    with pytest.raises(RuntimeError, match="no kernel"):
        CompiledNetwork(nn.Flatten(), "default")(torch.rand(1, 3, 4, 4), 8)


def test_lack_of_memory_stays_what_it_is(monkeypatch):
    error = InductorError("autotuning failed")
    error.__cause__ = torch.cuda.OutOfMemoryError("out of memory")
    monkeypatch.setattr(torch, "compile", broken(error))
    with pytest.raises(torch.cuda.OutOfMemoryError):
        CompiledNetwork(nn.Flatten(), "default")(torch.rand(1, 3, 4, 4), 8)


@pytest.mark.slow
def test_torch_compiles_a_network_once_and_its_answers_are_the_same(suite, tmp_path):
    import torch._dynamo.utils

    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    asked = {**NOISE, "batch_size": 16, "severities": [3]}
    found = lst_robust.evaluate(classifier(nn.ReLU()), suite, results_dir=tmp_path / "a", compile="default", **asked)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    as_it_is = lst_robust.evaluate(classifier(nn.ReLU()), suite, results_dir=tmp_path / "b", **asked)
    for cell, record in as_it_is.records.items():
        np.testing.assert_array_equal(found.records[cell].predicted_classes(), record.predicted_classes())
        np.testing.assert_allclose(found.records[cell].confidences(), record.confidences(), atol=1e-3)
    assert plain(found.records[next(iter(found.records))])["calibration"] is not None
