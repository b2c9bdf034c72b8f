"""Every faster path gives what the trained network gives."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from lst_robust.models import create_model, optimize_for_inference
from lst_robust.models.lst.blocks import LSTII
from lst_robust.models.optimize import images_a_thread, logits_in_pieces
from lst_robust.models.resnet import Basic

torch.set_num_threads(1)


@pytest.mark.parametrize(
    "name", ["lst20", "lst20-i", "lst18", "lst18-relu", "resnet20", "preact20", "cbam20", "shiftresnet20", "lst-b"]
)
def test_whole_networks(name: str, trained, assert_same) -> None:
    torch.manual_seed(0)
    model = trained(create_model(name, num_classes=4, image_size=32))
    before = copy.deepcopy(model.state_dict())
    fast = optimize_for_inference(model)
    images = torch.randn(19, 3, 32, 32)  # more than one piece, and an uneven last one
    with torch.no_grad():
        plain = model(images)
        assert_same(fast(images.clone()), plain)
        assert_same(logits_in_pieces(fast, images), plain)
    assert fast.config == model.config
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules()) or name == "preact20"


def test_without_the_kernel_everything_runs_in_torch(monkeypatch: pytest.MonkeyPatch, trained, assert_same) -> None:
    monkeypatch.setenv("LST_ROBUST_LST_KERNELS", "plain")
    model = trained(create_model("lst20"))
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert_same(optimize_for_inference(model)(images), model(images))


def test_only_lst_nets_in_torch_take_few_images_at_a_time(compiled) -> None:
    def pieces(name: str, fast: bool) -> int | None:
        model = create_model(name)
        return images_a_thread(optimize_for_inference(model) if fast else model)

    assert [pieces("lst20", True), pieces("lst20", False)] == [None, 16]
    assert [pieces("lst20-i", True), pieces("resnet20", True), pieces("resnet20", False)] == [16, None, None]


def test_whole_networks_on_two_threads(compiled, trained) -> None:
    fast = optimize_for_inference(trained(create_model("lst20", num_classes=4)))
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        alone = logits_in_pieces(fast, images)
        torch.set_num_threads(2)
        try:
            torch.testing.assert_close(logits_in_pieces(fast, images), alone, rtol=1e-5, atol=1e-6)
        finally:
            torch.set_num_threads(1)


@pytest.mark.parametrize("make", [lambda model: model, lambda model: torch.jit.script(model.eval())])
def test_what_cannot_be_folded_computes_the_same(make):
    torch.manual_seed(0)
    unusual = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False))  # statistics of the batch
    model = make(unusual)
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(optimize_for_inference(model)(x), unusual.eval()(x))


class Standardised(nn.Conv2d):
    """A convolution of a class of its own."""

    def forward(self, x):
        return self._conv_forward(x, self.weight / self.weight.std(), self.bias)


class WithActivation(nn.BatchNorm2d):
    """As timm's BN, which holds its activation."""

    def forward(self, x):
        return super().forward(x).relu()


class Densely(nn.Sequential):
    """Calls its layers in a way of its own."""

    def forward(self, x):
        return sum(layer(x) for layer in self)


class OwnBlock(Basic):
    """Calls the layers of a block of ours in another way."""

    def forward(self, x):
        return self.bn1(self.conv1(x).relu())


def convolution() -> nn.Conv2d:
    return nn.Conv2d(3, 3, 3, padding=1)


def hooked(place: int) -> nn.Module:
    network = nn.Sequential(convolution(), nn.BatchNorm2d(3))
    network[place].register_forward_hook(lambda layer, given, out: out.abs())
    return network


def replaced() -> nn.Module:
    network = nn.Sequential(convolution(), nn.BatchNorm2d(3))
    network.forward = lambda x: network[1](network[0](x).relu())
    return network


def one_activation() -> nn.Module:
    relu = nn.ReLU()
    return nn.Sequential(convolution(), relu, nn.BatchNorm2d(3), convolution(), relu, nn.BatchNorm2d(3))


def block_with_a_hook() -> nn.Module:
    network = create_model("lst20", num_classes=4)
    next(block for block in network.modules() if isinstance(block, LSTII)).register_forward_hook(
        lambda block, given, out: out / 2
    )
    return network


ANOTHERS = {
    "a convolution's subclass": lambda: nn.Sequential(Standardised(3, 3, 3, padding=1), nn.BatchNorm2d(3)),
    "a BN's subclass": lambda: nn.Sequential(convolution(), WithActivation(3)),
    "a Sequential's subclass": lambda: Densely(convolution(), nn.BatchNorm2d(3)),
    "a block's subclass": lambda: OwnBlock(3, 3, 1, None),
    "a hook on the convolution": lambda: hooked(0),
    "a hook on the BN": lambda: hooked(1),
    "a hook on a block": block_with_a_hook,
    "a forward of its own": replaced,
    "one activation in two places": one_activation,
    "spectral norm": lambda: nn.Sequential(parametrizations.spectral_norm(convolution()), nn.BatchNorm2d(3)),
    "weight norm": lambda: nn.Sequential(parametrizations.weight_norm(convolution()), nn.BatchNorm2d(3)),
}


@pytest.mark.parametrize("name", ANOTHERS)
def test_layers_that_compute_something_else_are_not_folded(name, trained, assert_same):
    torch.manual_seed(0)
    model = trained(ANOTHERS[name]())
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert_same(optimize_for_inference(model)(images), model(images))
