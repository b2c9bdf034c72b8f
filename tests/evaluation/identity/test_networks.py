"""Two networks are two runs, whatever their names and weights say; one network is one run, however it is computed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import lst_robust
from lst_robust.analysis.networks import collect_summaries
from lst_robust.models import save_checkpoint
from tests.fixtures.commands import PUBLISHED
from tests.fixtures.networks import classifier


def errors(evaluation) -> list[float]:
    return [record.top1_error for record in evaluation.records.values()]


def assert_another_run(evaluate, first, second, words: str, **options) -> None:
    """The second network is measured, has the numbers that it has alone, and a line says why it is another run."""
    before, _ = evaluate(first, **options)
    after, lines = evaluate(second, **options)
    alone, _ = evaluate(second, folder="alone", **options)
    assert after.measured == 2 and after.run != before.run
    assert errors(after) == errors(alone)
    assert [line for line in lines if words in line]
    again, lines = evaluate(first, **options)
    assert again.measured == 0 and again.run == before.run and errors(again) == errors(before)
    assert not lines


def test_the_same_weights_with_another_threshold_are_another_network(evaluate):
    options = {"checkpoint": PUBLISHED / "lst18.safetensors", "image_size": 32}
    networks = [lst_robust.create_model("lst18", 10, **options, tau=tau) for tau in (1e-4, 0.5)]
    assert_another_run(evaluate, *networks, "is another network (", name="lst18")


def test_networks_that_differ_in_an_activation_are_two(evaluate):
    assert_another_run(evaluate, classifier(nn.ReLU()), classifier(nn.Tanh()), "is another network (")


class Scaled(nn.Module):
    """Its setting is neither a weight nor in its repr."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain
        self.classify = classifier(nn.ReLU())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classify(images * self.gain)


def test_a_setting_that_no_weight_shows_makes_another_network(evaluate):
    assert_another_run(evaluate, Scaled(1.0), Scaled(1.0001), "is another network (")


CODE = """
from torch import nn

class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.linear = nn.Linear(3072, classes)
    def forward(self, x):
        return {sign}self.linear(x.flatten(1))

def build(num_classes, image_size):
    return Net(num_classes)
"""


def test_code_of_a_file_that_has_changed_makes_another_network(evaluate, tmp_path):
    file = tmp_path / "net.py"
    file.write_text(CODE.format(sign=""))
    torch.manual_seed(0)
    name = f"{file}:build"
    save_checkpoint(lst_robust.create_model(name, 10, image_size=32), tmp_path / "net.safetensors")
    options = {"checkpoint": tmp_path / "net.safetensors", "model_options": {}}
    before, _ = evaluate(name, **options)
    file.write_text(CODE.format(sign="-"))
    after, lines = evaluate(name, **options)
    assert after.measured == 2 and errors(after) != errors(before)
    assert [line for line in lines if "is another network (" in line]
    file.write_text(CODE.format(sign=""))
    assert evaluate(name, **options)[0].measured == 0


def test_code_inside_a_package_that_has_changed_shows_in_the_answers(evaluate, monkeypatch):
    model = classifier(nn.Hardtanh())
    before, _ = evaluate(model)
    with monkeypatch.context() as patch:
        patch.setattr(nn.Hardtanh, "forward", lambda self, x: torch.sin(3 * x))
        after, lines = evaluate(model)
        alone, _ = evaluate(model, folder="alone")
    assert after.measured == 2 and errors(after) == errors(alone)
    assert after.run.model.structure == before.run.model.structure
    assert [line for line in lines if "other answers to the probe images" in line]
    assert evaluate(model)[0].measured == 0


class Masked(nn.Module):
    """Most of its classes always answer -1e4, as masked ones do."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.classify = classifier(activation)
        self.register_buffer("masked", torch.arange(10) >= 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classify(images).masked_fill(self.masked, -1e4)


def test_masked_classes_do_not_hide_other_answers(evaluate, monkeypatch):
    model = Masked(nn.Hardtanh())
    evaluate(model)
    monkeypatch.setattr(nn.Hardtanh, "forward", lambda self, x: 1.01 * x)
    after, lines = evaluate(model)
    assert after.measured == 2
    assert [line for line in lines if "other answers to the probe images" in line]


def test_two_runs_of_one_network_have_two_names_in_a_table(evaluate, tmp_path, monkeypatch):
    model = classifier(nn.Hardtanh())
    evaluate(model, name="net")
    monkeypatch.setattr(nn.Hardtanh, "forward", lambda self, x: torch.sin(3 * x))
    evaluate(model, name="net")
    names = [summary.label for summary in collect_summaries(tmp_path / "results", None, "none")]
    assert len(set(names)) == 2 and all(name.startswith("net (") for name in names)
    for name in names:  # each of them selects its run
        selected = lst_robust.make_baseline(tmp_path / "results", models=[name])
        assert len(selected.entries) == 1


@pytest.mark.parametrize(
    "name", ["lst20", *(pytest.param(name, marks=pytest.mark.slow) for name in ("lst18", "resnet18"))]
)
def test_threads_kernels_and_precision_are_no_other_network(evaluate, monkeypatch, name):
    torch.manual_seed(0)
    model = lst_robust.create_model(name, 10, image_size=32)
    assert evaluate(model, corruptions=["contrast"])[0].measured == 2
    assert evaluate(model, corruptions=["contrast"], amp=True)[0].measured == 0
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert evaluate(model, corruptions=["contrast"], workers=2)[0].measured == 0
    finally:
        torch.set_num_threads(threads)
    monkeypatch.setenv("LST_ROBUST_CORRUPTION_KERNELS", "plain")
    monkeypatch.setenv("LST_ROBUST_LST_KERNELS", "plain")
    assert evaluate(model, corruptions=["contrast"])[0].measured == 0


def test_wrappers_of_torch_are_the_network_inside(evaluate):
    model = classifier(nn.ReLU())
    first, _ = evaluate(model)
    again, _ = evaluate(nn.DataParallel(model))
    assert again.measured == 0 and again.run == first.run


def test_a_counter_that_an_evaluation_moves_starts_no_new_run(evaluate):
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls, self.classify = 0, classifier(nn.ReLU())

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return self.classify(images)

    model = Counting()
    assert [evaluate(model)[0].measured for _ in range(2)] == [2, 0]
    assert model.calls == 0, "it is a copy that is evaluated"


def test_a_hook_that_collects_starts_no_new_run(evaluate):
    model, seen = classifier(nn.ReLU()), []
    model[2].register_forward_hook(lambda module, inputs, output: seen.append(output.shape) or None)
    assert [evaluate(model)[0].measured for _ in range(2)] == [2, 0] and seen
