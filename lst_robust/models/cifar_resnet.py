"""ResNets for CIFAR: the plain one with SENet and CBAM (He et al. 2016a), and pre-activation (He et al. 2016b).

Three stages of 16, 32 and 64 channels; the shortcut is a 1x1 convolution with BN where the shape changes (option B).
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from lst_robust.models.entry import CIFAR10, PrintedRow
from lst_robust.models.registry import register
from lst_robust.models.resnet import ATTENTION, PRINTED_NAMES, Attention, Basic, ResNet, conv, he_normal

PLANES = (16, 32, 64)
UNPRINTED_DEPTH = 164
UNPRINTED = "counts are not printed; built by the rule of the other depths"


def cifar_resnet(depth: int, *, num_classes: int, image_size: int, attention: Attention | None) -> ResNet:
    """ResNet with (depth - 2) / 6 basic blocks a stage."""
    return ResNet(
        lambda inputs, planes, stride: Basic(inputs, planes, stride, attention),
        Basic.expansion,
        [(depth - 2) // 6] * 3,
        PLANES,
        num_classes=num_classes,
        stem="3x3s1",
        stem_width=16,
    )


class PreactBasic(nn.Module):
    """BN and ReLU stand before each 3x3 convolution; nothing follows the sum."""

    conv_bn_pairs = (("conv1", "bn2"),)

    def __init__(self, inputs: int, planes: int, strides: tuple[int, int]) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, planes, 3, strides[0])
        self.bn2, self.conv2 = nn.BatchNorm2d(planes), conv(planes, planes, 3, strides[1])
        self.relu = nn.ReLU(inplace=True)
        stride = strides[0] * strides[1]
        self.shortcut = conv(inputs, planes, 1, stride) if stride > 1 or inputs != planes else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.relu(self.bn1(x))
        y = self.conv2(self.relu(self.bn2(self.conv1(active))))
        return y + (x if self.shortcut is None else self.shortcut(active))


class PreactResNet(nn.Module):
    """3x3 stem, three stages of pre-activation blocks, BN, ReLU, global average pool, linear.

    `planes` are the stages' channels; `late_stride` puts a block's stride in its second convolution.
    """

    def __init__(self, blocks: int, planes: tuple[int, ...], *, num_classes: int, late_stride: bool = False) -> None:
        super().__init__()
        channels = 16
        self.conv1 = conv(3, channels, 3)
        layers = []
        for stage, width in enumerate(planes):
            for i in range(blocks):
                stride = 2 if stage > 0 and i == 0 else 1
                layers.append(PreactBasic(channels, width, (1, stride) if late_stride else (stride, 1)))
                channels = width
        self.blocks = nn.Sequential(*layers)
        self.bn = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, num_classes)
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """float32 (N, 3, H, W), normalised -> logits (N, num_classes)."""
        x = self.bn(self.blocks(self.conv1(x))).relu()
        return self.fc(x.mean((2, 3)))


def preact_resnet(depth: int, *, num_classes: int, image_size: int) -> PreactResNet:
    """Pre-activation ResNet with (depth - 2) / 6 blocks a stage."""
    return PreactResNet((depth - 2) // 6, PLANES, num_classes=num_classes)


# Name and depth of every network of a family
NETWORKS = {
    "resnet": {"resnet20": 20, "resnet56": 56, "resnet110": 110, "resnet164": 164},
    "senet": {"senet20": 20, "senet56": 56, "senet110": 110, "senet164": 164},
    "cbam": {"cbam20": 20, "cbam56": 56, "cbam110": 110, "cbam164": 164},
    "preact": {"preact20": 20, "preact56": 56, "preact110": 110, "preact164": 164},
}

for family, depths in NETWORKS.items():
    preact = family == "preact"
    printed_name = "PreactResNet" if preact else PRINTED_NAMES[family]
    for name, depth in depths.items():
        unprinted = depth == UNPRINTED_DEPTH
        register(
            name,
            family=family,
            source=f"LST-Net paper, Table 2; {'pre-activation ResNet' if preact else printed_name} with 1x1 shortcuts",
            images=CIFAR10,
            paper=None if unprinted else PrintedRow("table2", "resnet", str(depth), "1", printed_name),
            note=UNPRINTED if unprinted else "",
        )(partial(preact_resnet, depth) if preact else partial(cifar_resnet, depth, attention=ATTENTION[family]))
