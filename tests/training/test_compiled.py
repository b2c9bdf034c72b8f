"""torch.compile around a network in training: mostly with a stand-in, because it takes a while."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lst_robust.errors import LstRobustError
from lst_robust.runtime.compiler import compiler_errors
from lst_robust.training.compiled import compiled, keep_gradients
from tests.training.conftest import RECIPE, same_weights, small_network, trained


class Wrapped(nn.Module):
    """What torch.compile returns, as far as names of weights go."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self._orig_mod = inner
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self._orig_mod(x)


@pytest.fixture
def made(monkeypatch):
    """The (network, options) that torch.compile was asked for."""
    asked = []

    def stand_in(network: nn.Module, **options) -> Wrapped:
        asked.append((Wrapped(network), options))
        return asked[-1][0]

    monkeypatch.setattr(torch, "compile", stand_in)
    return asked


@pytest.mark.parametrize("mode", ["default", "reduce-overhead", "max-autotune"])
def test_training_goes_through_the_compiled_network_and_keeps_names_and_bits(source, tmp_path, made, mode):
    plain, inner = small_network(), small_network()
    recipe = RECIPE.changed({"accumulate": 2, "evaluate_every": 1, "keep": "best"})
    expected = trained(plain, source, tmp_path / "1", recipe, test=source)
    assert not made
    found = trained(inner, source, tmp_path / "2", recipe, test=source, compile_mode=mode)
    ((network, options),) = made
    assert options == {"mode": mode, "dynamic": False}
    assert network.calls == 3 * 4 * 2, "the parts of all batches, and no test image"
    assert same_weights(plain, inner)
    assert found.best["model"].keys() == expected.best["model"].keys() == plain.state_dict().keys()


def test_a_resumed_training_knows_no_difference(source, tmp_path, made):
    trained(small_network(), source, tmp_path, compile_mode="default")
    kept = torch.load(tmp_path / "a.resume", weights_only=True)
    assert not [key for key in kept["model"] if "_orig_mod" in key]
    trained(again := small_network(), source, tmp_path)  # all epochs are done
    assert all(torch.equal(again.state_dict()[key], value) for key, value in kept["model"].items())


def test_gradients_leave_the_memory_of_a_cuda_graph():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0](torch.ones(1, 2)).sum().backward()
    before = model[0].weight.grad
    keep_gradients(model, "default")
    assert model[0].weight.grad is before
    keep_gradients(model, "reduce-overhead")
    after = model[0].weight.grad
    assert after.data_ptr() != before.data_ptr() and torch.equal(after, before)
    assert model[1].weight.grad is None


def test_no_is_the_network_itself():
    model = nn.Linear(2, 2)
    assert compiled(model, "no") is model


def test_other_errors_pass():
    with pytest.raises(ValueError, match="mine"), compiler_errors():
        raise ValueError("mine")


def test_without_a_compiler_one_line_says_what_to_do(source, tmp_path, monkeypatch):
    import torch._inductor.config as config

    monkeypatch.setattr(config.cpp, "cxx", ("no-such-compiler",))
    monkeypatch.setattr(config, "fx_graph_cache", False)
    with pytest.raises(LstRobustError) as raised:
        trained(nn.Sequential(nn.Flatten(), nn.Linear(768, 10)), source, tmp_path, compile_mode="default")
    message = str(raised.value)
    assert message.startswith("the network cannot be compiled here (") and "\n" not in message
    assert "no-such-compiler" in message
    assert message.endswith("): install a C++ compiler such as g++, or use --compile no")
    assert raised.value.exit_code == 3


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
@pytest.mark.parametrize("changes", [{}, {"accumulate": 2, "drop_last": False}])
def test_compiled_it_learns_the_same_to_rounding(source, tmp_path, mode, changes):
    """Without dropout, whose draws are others in compiled code."""
    recipe = RECIPE.changed(changes | {"optimizer": "sgd"})
    networks = []
    for folder, chosen in (("1", "no"), ("2", mode)):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(392, 10))
        trained(network, source, tmp_path / folder, recipe, compile_mode=chosen)
        networks.append(network.state_dict())
    assert networks[0].keys() == networks[1].keys()
    for key, value in networks[0].items():
        torch.testing.assert_close(networks[1][key], value, rtol=1e-4, atol=1e-5, msg=key)
