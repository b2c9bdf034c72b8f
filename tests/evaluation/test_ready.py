"""A network as it is measured answers as the caller's own does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lst_robust.evaluation.model_under_test import ModelUnderTest, from_module
from lst_robust.evaluation.ready import ready_network
from lst_robust.suites import PixelStatistics

CPU = torch.device("cpu")
PIXELS = PixelStatistics(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


class Pooled(nn.Module):
    """A convolution and its BN, called one after the other or with something between them."""

    def __init__(self, between: nn.Module | None) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.between = between

    def forward(self, x):
        if self.between is None:
            return self.layers(x).mean((2, 3))
        return self.layers[1](self.between(self.layers[0](x))).mean((2, 3))


def found(between: nn.Module | None) -> ModelUnderTest:
    torch.manual_seed(0)
    network = Pooled(between).eval()
    nn.init.normal_(network.layers[1].running_mean, 0, 0.2)
    return from_module(network, None, 4)


def batch_norms(network: nn.Module) -> int:
    return sum(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())


@pytest.mark.parametrize(("between", "folded"), [(None, True), (nn.Hardtanh(0, 0.1), False)])
def test_bns_are_folded_where_the_answers_stay_the_same(caplog, between, folded):
    caplog.set_level("INFO", "lst_robust")
    own = found(between)
    ready = ready_network(own, CPU, PIXELS, 16)
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(ready(images), own.model(images))
    assert ready is not own.model and batch_norms(own.model) == 1
    assert batch_norms(ready) == (0 if folded else 1)
    assert ("Pooled is measured without folded BNs" in caplog.text) == (not folded)


class Ends(nn.Module):
    """Raises, whatever it is given."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def forward(self, x):
        raise self.error


@pytest.mark.parametrize("error", [KeyError("no such layer"), SystemExit(0)], ids=repr)
def test_an_error_of_the_network_is_left_to_whoever_asks_it(error):
    assert batch_norms(ready_network(found(Ends(error)), CPU, PIXELS, 16)) == 1


def test_a_network_that_reads_its_bn_is_measured_as_it_is():
    """An nn.Identity in its place would have no weight."""

    class Reads(Pooled):
        def forward(self, x):
            return super().forward(x) * self.layers[1].weight.sum()

    network = Reads(None)
    ready = ready_network(from_module(network, None, 4), CPU, PIXELS, 16)
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(ready(images), network.eval()(images))


def test_a_bn_with_two_names_is_seen_to_be_folded():
    class Twice(Pooled):
        def __init__(self) -> None:
            super().__init__(None)
            self.bn = self.layers[1]

        def forward(self, x):
            return self.bn(self.layers[0](x).relu()).mean((2, 3))

    network = Twice()
    nn.init.normal_(network.bn.running_mean)
    ready = ready_network(from_module(network, None, 4), CPU, PIXELS, 16)
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(ready(images), network.eval()(images))


def test_the_callers_random_state_stays_as_it_is():
    torch.manual_seed(1)
    expected = torch.rand(1)
    own = found(nn.Dropout())
    torch.manual_seed(1)
    ready_network(own, CPU, PIXELS, 16)
    assert torch.equal(torch.rand(1), expected)
