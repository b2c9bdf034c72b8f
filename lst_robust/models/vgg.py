"""VGG-11 (Simonyan & Zisserman 2015, torchvision's structure) and its forms in the paper."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from lst_robust.models.alexnet import MIXED, PlainNet, three_linear_layers
from lst_robust.models.entry import PrintedRow
from lst_robust.models.lst.blocks import LSTI, LSTOptions
from lst_robust.models.lst.networks import LST_I_OPTIONS
from lst_robust.models.registry import register
from lst_robust.models.resnet import he_normal

WIDTHS = (64, 128, 256, 256, 512, 512, 512, 512)
POOLED = (0, 1, 3, 5, 7)  # a 2x2 max pool follows these of the eight convolutions
BN_MISPRINT = "misprint in the paper: 132.86 M stands for 132.87 M"


def vgg_net(*, num_classes: int, image_size: int, batch_norm: bool = False, gap: bool = False) -> PlainNet:
    """VGG-11 with torchvision's parameter names."""
    features: list[nn.Module] = []
    inputs = 3
    for number, width in enumerate(WIDTHS):
        features.append(nn.Conv2d(inputs, width, 3, padding=1))
        if batch_norm:
            features.append(nn.BatchNorm2d(width))
        features.append(nn.ReLU(inplace=True))
        if number in POOLED:
            features.append(nn.MaxPool2d(2))
        inputs = width
    model = _with_classifier(features, num_classes, gap)
    he_normal(model)
    return model


def lst_vgg_net(*, num_classes: int, image_size: int, gap: bool = False, **options: Any) -> PlainNet:
    """The first convolution with BN stays; LST-I bottlenecks take the place of the other seven."""
    first = nn.Conv2d(3, WIDTHS[0], 3, padding=1, bias=False)
    nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")
    lst_options = LSTOptions(**options)
    features: list[nn.Module] = [first, nn.BatchNorm2d(WIDTHS[0]), lst_options.relu(), nn.MaxPool2d(2)]
    for number in range(1, len(WIDTHS)):
        features.append(LSTI(WIDTHS[number - 1], WIDTHS[number], 1, lst_options))
        if number in POOLED:
            features.append(nn.MaxPool2d(2))
    return _with_classifier(features, num_classes, gap)


def _with_classifier(features: list[nn.Module], num_classes: int, gap: bool) -> PlainNet:
    if gap:
        return PlainNet(features, 1, nn.Sequential(nn.Linear(512, num_classes)))
    first, relu1, second, relu2, last = three_linear_layers(512 * 7 * 7, num_classes)
    return PlainNet(features, 7, nn.Sequential(first, relu1, nn.Dropout(), second, relu2, nn.Dropout(), last))


# what the paper calls it, options of the factory, note
NETWORKS: dict[str, tuple[str, dict[str, Any], str]] = {
    "vgg11": ("VGG", {}, ""),
    "vgg11-bn": ("VGG (BN)", {"batch_norm": True}, BN_MISPRINT),
    "vgg11-gap": ("VGG (GAP)", {"gap": True}, ""),
}
LST_NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "lst-vgg11": ("LST-Net VGG (FC)", {}),
    "lst-vgg11-gap": ("LST-Net VGG (GAP)", {"gap": True}),
}

for name, (printed_name, form, note) in NETWORKS.items():
    register(
        name,
        family="vgg",
        source=f"LST-Net paper, Table 3, {printed_name}" if "gap" in form else "torchvision's structure",
        paper=PrintedRow("table3", "other", "11", "", printed_name),
        note=note,
    )(partial(vgg_net, **form))

for name, (printed_name, form) in LST_NETWORKS.items():
    register(
        name,
        family="vgg",
        source=f"LST-Net paper, Table 3, {printed_name}; structure found from the printed counts",
        options=LST_I_OPTIONS,
        paper=PrintedRow("table3", "other", "11", "", printed_name),
        note=MIXED,
    )(partial(lst_vgg_net, **form))
