"""Which layers are looked at, and that the hooks hand over what these layers put out, and leave nothing behind."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lst_robust.errors import UsageError
from lst_robust.features.layers import chosen_layers, spatial_layers, watched
from lst_robust.models import create_model
from lst_robust.models.lst.transforms import spatial_transform

torch.set_num_threads(1)


def features(network: nn.Module, images: Tensor, step: str = "output") -> dict[str, Tensor]:
    """What is handed over, a copy each, because activations may work in place."""
    found: dict[str, Tensor] = {}
    layers = spatial_layers(network, "it")
    with torch.inference_mode(), watched(network, layers, step, lambda n, x: found.__setitem__(n, x.clone())):
        network(images)
    return found


@pytest.mark.parametrize(
    ("name", "first", "count", "bands"),
    [
        ("lst20", "stages.0.0.t_s", 18, 4),
        ("lst20-i", "stages.0.0.t_s", 18, 4),
        ("resnet20", "layer1.0.conv1", 18, 0),
        ("cbam20", "layer1.0.conv1", 18, 0),
        ("preact20", "blocks.0.conv1", 18, 0),
        ("resnet50", "layer1.0.conv2", 16, 0),
        ("torchvision:resnet18", "layer1.0.conv1", 16, 0),
        ("mobilenetv2", None, 17, 0),
    ],
)
def test_layers_of_networks(name, first, count, bands) -> None:
    with torch.device("meta"):
        layers = spatial_layers(create_model(name), name)
    assert len(layers) == count and {layer.bands for layer in layers} == {bands}
    assert first in (None, layers[0].name)


def test_a_network_of_one_convolution_is_looked_at_there() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    assert [layer.name for layer in spatial_layers(network, "it")] == ["0"]


def test_a_network_without_spatial_convolution_is_refused() -> None:
    with pytest.raises(UsageError, match="it has no convolution larger than 1x1"):
        spatial_layers(nn.Sequential(nn.Conv2d(3, 8, 1), nn.Linear(2, 2)), "it")


def test_layers_are_chosen_by_number_name_and_pattern() -> None:
    layers = spatial_layers(create_model("resnet20"), "it")
    assert chosen_layers(layers, None, "it") == layers
    names = [layer.name for layer in chosen_layers(layers, ["2", "layer3.2.*"], "it")]
    assert names == ["layer1.0.conv2", "layer3.2.conv1", "layer3.2.conv2"]
    with pytest.raises(
        UsageError, match=r"no layer of it is meant by 19, t_s: give numbers from 1 to 18.*layer1.0.conv1"
    ):
        chosen_layers(layers, ["19", "t_s"], "it")


def test_t_s_of_the_authors_weights_is_the_definition(released_checkpoint) -> None:
    """The first block, by hand: stem, T_r, T_c and soft thresholding, then the definition of T_s."""
    network = create_model("lst20", checkpoint=released_checkpoint("lst20")).eval()
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    weights = {key: value for key, value in network.state_dict().items()}

    def normalised(x: Tensor, bn: str) -> Tensor:
        mean, variance, gamma, beta = (
            weights[f"{bn}.{key}"][:, None, None] for key in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * gamma + beta

    x = normalised(F.conv2d(images, weights["conv1.weight"], padding=1), "bn1").clamp(min=0)
    y = normalised(F.conv2d(x, weights["stages.0.0.t_r.weight"]), "stages.0.0.bn_r").clamp(min=0)
    z = normalised(F.conv2d(y, weights["stages.0.0.t_c.weight"]), "stages.0.0.bn_c")
    z = z.sign() * (z.abs() - 1e-4).clamp(min=0)
    expected = spatial_transform(z, weights["stages.0.0.t_s.weight"], 1)
    first = "stages.0.0.t_s"
    torch.testing.assert_close(features(network, images)[first], expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(features(network, images, "input")[first], z, rtol=1e-4, atol=1e-5)
    behind = normalised(expected, "stages.0.0.bn_s")
    torch.testing.assert_close(features(network, images, "bn")[first], behind, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("step", ["output", "bn"])
def test_a_residual_block_before_its_activation(step) -> None:
    network = create_model("resnet20").eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        x = network.bn1(network.conv1(images)).relu()
        expected = network.layer1[0].conv1(x)
        expected = network.layer1[0].bn1(expected) if step == "bn" else expected
    found = features(network, images, step)
    assert len(found) == 18 and (found["layer1.0.conv1"] < 0).any()
    torch.testing.assert_close(found["layer1.0.conv1"], expected)


def test_layers_come_in_the_order_of_the_computation() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.first = nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.first(self.first(x)))

    assert list(features(Backwards(), torch.randn(1, 8, 9, 9))) == ["first", "last"]


def test_hooks_are_removed_also_after_an_error() -> None:
    network = create_model("lst20").eval()

    def hooks() -> int:
        return sum(len(one._forward_hooks) + len(one._forward_pre_hooks) for one in network.modules())

    layers = spatial_layers(network, "it")
    with watched(network, layers, "bn", lambda *_: None):
        assert hooks() > 18
    assert hooks() == 0
    with pytest.raises(ZeroDivisionError), watched(network, layers, "output", lambda *_: 1 / 0):
        network(torch.randn(1, 3, 32, 32))
    assert hooks() == 0
