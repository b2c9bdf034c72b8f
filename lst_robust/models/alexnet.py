"""AlexNet (Krizhevsky 2014, torchvision's structure), its forms in the paper, and its form for small images."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn

from lst_robust.models.entry import PrintedRow
from lst_robust.models.lst.blocks import LSTI, LSTOptions
from lst_robust.models.lst.networks import LST_I_OPTIONS
from lst_robust.models.registry import register
from lst_robust.models.resnet import he_normal
from lst_robust.models.stems import ALEXNET_STEMS, STEMS

CONVOLUTIONS = ((64, 192, 5), (192, 384, 3), (384, 256, 3), (256, 256, 3))  # second to fifth: in, out, kernel
POOLED = (0, 1, 4)  # a 3x3 max pool of stride 2 follows these of the five convolutions


class PlainNet(nn.Module):
    """Convolutions and pools in a row (`features`), average pool, classifier: AlexNet's and VGG's shape."""

    def __init__(self, features: list[nn.Module], pooled_size: int, classifier: nn.Sequential) -> None:
        super().__init__()
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(pooled_size)
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        """float32 (N, 3, H, W), normalised -> logits (N, num_classes)."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def three_linear_layers(inputs: int, num_classes: int) -> list[nn.Module]:
    """The 4096-wide hidden layers with ReLU, without dropout."""
    relu = partial(nn.ReLU, inplace=True)
    return [nn.Linear(inputs, 4096), relu(), nn.Linear(4096, 4096), relu(), nn.Linear(4096, num_classes)]


def alexnet_net(
    *, num_classes: int, image_size: int, stem: str, batch_norm: bool = False, gap: bool = False
) -> PlainNet:
    """AlexNet; with a small stem its first convolution is 3x3 and one linear layer stands for the three."""
    small = stem != "11x11s4"
    spec = STEMS[stem]
    convolutions = [nn.Conv2d(3, 64, spec.kernel, spec.stride, padding=1 if small else 2)]
    convolutions += [nn.Conv2d(i, o, size, padding=size // 2) for i, o, size in CONVOLUTIONS]
    features: list[nn.Module] = []
    for number, convolution in enumerate(convolutions):
        features.append(convolution)
        if batch_norm:
            features.append(nn.BatchNorm2d(convolution.out_channels))
        features.append(nn.ReLU(inplace=True))
        if number in POOLED:
            features.append(nn.MaxPool2d(3, 2))
    model = _with_classifier(features, num_classes, gap or small)
    he_normal(model)
    return model


def lst_alexnet_net(*, num_classes: int, image_size: int, stem: str, gap: bool = False, **options: Any) -> PlainNet:
    """The first convolution with BN stays; LST-I bottlenecks take the place of the other four."""
    small = stem != "11x11s4"
    spec = STEMS[stem]
    first = nn.Conv2d(3, 64, spec.kernel, spec.stride, padding=1 if small else 2, bias=False)
    nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")
    lst_options = LSTOptions(**options)
    features: list[nn.Module] = [first, nn.BatchNorm2d(64), lst_options.relu(), nn.MaxPool2d(3, 2)]
    for number, (inputs, outputs, size) in enumerate(CONVOLUTIONS, start=1):
        features.append(LSTI(inputs, outputs, 1, lst_options, size))
        if number in POOLED:
            features.append(nn.MaxPool2d(3, 2))
    return _with_classifier(features, num_classes, gap or small)


def _with_classifier(features: list[nn.Module], num_classes: int, gap: bool) -> PlainNet:
    if gap:
        return PlainNet(features, 1, nn.Sequential(nn.Linear(256, num_classes)))
    first, relu, *rest = three_linear_layers(256 * 6 * 6, num_classes)
    return PlainNet(features, 6, nn.Sequential(nn.Dropout(), first, relu, nn.Dropout(), *rest))


# what the paper calls it, options of the factory
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "alexnet": ("AlexNet", {}),
    "alexnet-bn": ("AlexNet (BN)", {"batch_norm": True}),
    "alexnet-gap": ("AlexNet (GAP)", {"gap": True}),
}
LST_NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "lst-alexnet": ("LST-Net AlexNet (FC)", {}),
    "lst-alexnet-gap": ("LST-Net AlexNet (GAP)", {"gap": True}),
}
MIXED = "the printed LST rows of AlexNet and VGG mix two counts: parameters without T_c and T_s, MACs of the other head"

for name, (printed_name, form) in NETWORKS.items():
    register(
        name,
        family="alexnet",
        source="torchvision's structure" if name == "alexnet" else f"LST-Net paper, Table 3, {printed_name}",
        stems=ALEXNET_STEMS,
        paper=PrintedRow("table3", "other", "", "", printed_name),
    )(partial(alexnet_net, **form))

for name, (printed_name, form) in LST_NETWORKS.items():
    register(
        name,
        family="alexnet",
        source=f"LST-Net paper, Table 3, {printed_name}; structure found from the printed counts",
        stems=ALEXNET_STEMS,
        options=LST_I_OPTIONS,
        paper=PrintedRow("table3", "other", "", "", printed_name),
        note=MIXED,
    )(partial(lst_alexnet_net, **form))
