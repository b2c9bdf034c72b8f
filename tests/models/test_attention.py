"""Attention against its formula, written out image by image, and against torchvision's layer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torchvision.ops import SqueezeExcitation

from lst_robust.models.attention import CBAM, SqueezeExcite

torch.set_num_threads(1)


def test_squeeze_excite_is_torchvisions() -> None:
    torch.manual_seed(0)
    ours, theirs = SqueezeExcite(32), SqueezeExcitation(32, 2)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 32, 5, 7)
    torch.testing.assert_close(ours(x), theirs(x))
    assert SqueezeExcite(32, bias=False).fc1.bias is None


def test_cbam_weighs_channels_then_places() -> None:
    torch.manual_seed(0)
    layer = CBAM(32).eval()
    layer.spatial_bn.running_mean.fill_(0.1)
    x = torch.randn(2, 32, 5, 7)
    for image, result in zip(x, layer(x), strict=True):
        flat = image.reshape(32, -1)
        mean, largest = (layer.mlp(values) for values in (flat.mean(1), flat.max(1).values))
        weighed = image * torch.sigmoid(mean + largest).reshape(32, 1, 1)
        planes = torch.stack([weighed.max(0).values, weighed.mean(0)])
        place = layer.spatial_bn(F.conv2d(planes[None], layer.spatial.weight, padding=3))
        torch.testing.assert_close(result, weighed * torch.sigmoid(place[0]))
