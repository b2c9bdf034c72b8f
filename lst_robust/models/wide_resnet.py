"""Wide ResNets (Zagoruyko & Komodakis 2016) for CIFAR, and the paper's widened ResNets for ImageNet."""

from __future__ import annotations

from functools import partial

from torch import nn

from lst_robust.models.cifar_resnet import PreactResNet
from lst_robust.models.entry import CIFAR10, PrintedRow
from lst_robust.models.registry import register
from lst_robust.models.resnet import Basic, Bottleneck, ResNet
from lst_robust.models.stems import RESNET_STEMS

MISPRINTS = {
    "wrn28-12": "misprint in the paper: 43.42 M stands for 52.52 M",
    "wrn40-4": "misprint in the paper: 8.91 M stands for 8.95 M",
    "wrn18-x1.5": "misprint in the paper: 8.87 G stands for 3.87 G",
    "wrn34-x1.5": "misprint in the paper: 48.01 M stands for 48.61 M",
}


def cifar_wrn(depth: int, width: int, *, num_classes: int, image_size: int) -> PreactResNet:
    """WRN-depth-width: (depth - 4) / 6 blocks a stage, the stride in a block's second convolution."""
    planes = (16 * width, 32 * width, 64 * width)
    return PreactResNet((depth - 4) // 6, planes, num_classes=num_classes, late_stride=True)


def imagenet_wrn(blocks: tuple[int, ...], factor: float, *, num_classes: int, image_size: int, stem: str) -> ResNet:
    """ResNet-18 or 34 with every stage `factor` times as wide; the stem stays at 64 channels."""
    planes = [int(factor * width) for width in (64, 128, 256, 512)]
    return ResNet(
        lambda inputs, planes, stride: Basic(inputs, planes, stride, None),
        Basic.expansion,
        blocks,
        planes,
        num_classes=num_classes,
        stem=stem,
        stem_width=64,
    )


# depth and width
CIFAR_NETWORKS = {
    "wrn16-8": (16, 8),
    "wrn16-10": (16, 10),
    "wrn22-8": (22, 8),
    "wrn22-10": (22, 10),
    "wrn28-10": (28, 10),
    "wrn28-12": (28, 12),
    "wrn40-4": (40, 4),
    "wrn40-8": (40, 8),
}
# depth, blocks of each stage, how many times as wide
IMAGENET_NETWORKS = {
    "wrn18-x1.5": (18, (2, 2, 2, 2), 1.5),
    "wrn18-x2": (18, (2, 2, 2, 2), 2.0),
    "wrn18-x3": (18, (2, 2, 2, 2), 3.0),
    "wrn34-x1.5": (34, (3, 4, 6, 3), 1.5),
    "wrn34-x2": (34, (3, 4, 6, 3), 2.0),
}

for name, (depth, width) in CIFAR_NETWORKS.items():
    register(
        name,
        family="wrn",
        source="LST-Net paper, Table 2; Wide ResNet",
        images=CIFAR10,
        paper=PrintedRow("table2", "wrn", str(depth), str(width), "WRN"),
        note=MISPRINTS.get(name, ""),
    )(partial(cifar_wrn, depth, width))

for name, (depth, blocks, factor) in IMAGENET_NETWORKS.items():
    register(
        name,
        family="wrn",
        source="LST-Net paper, Table 3; widened ResNet",
        stems=RESNET_STEMS,
        paper=PrintedRow("table3", "wrn", str(depth), f"{factor:g}", "WRN"),
        note=MISPRINTS.get(name, ""),
    )(partial(imagenet_wrn, blocks, factor))


@register(
    "wrn50-x2",
    family="wrn",
    source="torchvision's wide_resnet50_2",
    stems=RESNET_STEMS,
    paper=PrintedRow("table3", "wrn", "50", "2", "WRN"),
)
def wrn50_x2(*, num_classes: int, image_size: int, stem: str) -> nn.Module:
    return ResNet(
        lambda inputs, planes, stride: Bottleneck(inputs, planes, stride, None, width_factor=2),
        Bottleneck.expansion,
        (3, 4, 6, 3),
        (64, 128, 256, 512),
        num_classes=num_classes,
        stem=stem,
        stem_width=64,
    )
