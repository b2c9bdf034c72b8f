"""Wide ResNets (Zagoruyko & Komodakis 2016) for CIFAR, and the paper's widened ResNets for ImageNet."""

from __future__ import annotations

from functools import partial

from torch import nn

from lst_robust.models.cifar_resnet import FACTS, PreactResNet
from lst_robust.models.registry import register
from lst_robust.models.resnet import Basic, Bottleneck, ResNet
from lst_robust.models.stems import RESNET_STEMS

CIFAR_MISPRINTS = {
    (28, 12): "misprint in the paper: 43.42 M stands for 52.52 M",
    (40, 4): "misprint in the paper: 8.91 M stands for 8.95 M",
}
IMAGENET_MISPRINTS = {
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


for depth, width in ((16, 8), (16, 10), (22, 8), (22, 10), (28, 10), (28, 12), (40, 4), (40, 8)):
    register(
        f"wrn{depth}-{width}",
        family="wrn",
        source="LST-Net paper, Table 2; Wide ResNet",
        paper=("table2", "wrn", str(depth), str(width), "WRN"),
        note=CIFAR_MISPRINTS.get((depth, width), ""),
        **FACTS,
    )(partial(cifar_wrn, depth, width))

for depth, blocks, factors in ((18, (2, 2, 2, 2), (1.5, 2.0, 3.0)), (34, (3, 4, 6, 3), (1.5, 2.0))):
    for factor in factors:
        name = f"wrn{depth}-x{factor:g}"
        register(
            name,
            family="wrn",
            source="LST-Net paper, Table 3; widened ResNet",
            stems=RESNET_STEMS,
            paper=("table3", "wrn", str(depth), f"{factor:g}", "WRN"),
            note=IMAGENET_MISPRINTS.get(name, ""),
        )(partial(imagenet_wrn, blocks, factor))


@register(
    "wrn50-x2",
    family="wrn",
    source="torchvision's wide_resnet50_2",
    stems=RESNET_STEMS,
    paper=("table3", "wrn", "50", "2", "WRN"),
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
