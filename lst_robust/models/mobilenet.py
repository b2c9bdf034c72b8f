"""MobileNetV2 (Sandler et al. 2018, torchvision's structure) and the paper's LST-Net (M-V2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from lst_robust.models.entry import PrintedRow
from lst_robust.models.lst.blocks import LSTBlock, LSTOptions
from lst_robust.models.lst.networks import LST_I_OPTIONS
from lst_robust.models.lst.transforms import resize_transform
from lst_robust.models.registry import register
from lst_robust.models.resnet import conv, he_normal

# expansion, output channels, blocks, stride of the first block (the MobileNetV2 paper, Table 2)
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
STEM_WIDTH, HEAD_WIDTH = 32, 1280


def _layer(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    """1x1 to `expansion` times the inputs, depthwise 3x3, 1x1 without activation; shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        layers: list[nn.Module] = [_layer(inputs, width, 1)] if expansion > 1 else []
        layers += [_layer(width, width, 3, stride, groups=width), conv(width, outputs, 1), nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNet(nn.Module):
    """Stem, blocks, 1x1 head, global average pool, dropout, linear; parameter names are torchvision's."""

    def __init__(self, blocks: list[nn.Module], num_classes: int) -> None:
        super().__init__()
        head = _layer(STAGES[-1][1], HEAD_WIDTH, 1)
        self.features = nn.Sequential(_layer(3, STEM_WIDTH, 3, 2), *blocks, head)
        linear = nn.Linear(HEAD_WIDTH, num_classes)
        nn.init.normal_(linear.weight, 0, 0.01)
        nn.init.zeros_(linear.bias)
        self.classifier = nn.Sequential(nn.Dropout(0.2), linear)

    def forward(self, x: Tensor) -> Tensor:
        """float32 (N, 3, H, W), normalised -> logits (N, num_classes)."""
        return self.classifier(self.features(x).mean((2, 3)))


class LSTInverted(LSTBlock):
    """The inverted residual as an LST: T_c to `width`, BN, ST; T_s, BN, ReLU; T_r, BN; shortcut as there.

    Whether ST follows the sum, the counts cannot tell; it is left out, as MobileNetV2's bottleneck ends linear.
    """

    def __init__(self, inputs: int, width: int, outputs: int, stride: int, options: LSTOptions) -> None:
        super().__init__(inputs, width, 3, stride, options)
        self.t_r = resize_transform(width * self.expansion, outputs)
        self.bn_r = nn.BatchNorm2d(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        z = self.threshold(self.bn_c(self.t_c(x)))
        y = self.bn_r(self.t_r(self.relu(self.bn_s(self.t_s(z)))))
        return x + y if self.residual else y


def mobilenet(make_block: Callable[[int, int, int, int], nn.Module], num_classes: int) -> MobileNet:
    """A `MobileNet` whose blocks come from `make_block(inputs, outputs, stride, expansion)`."""
    blocks = []
    channels = STEM_WIDTH
    for expansion, width, count, first_stride in STAGES:
        for i in range(count):
            blocks.append(make_block(channels, width, first_stride if i == 0 else 1, expansion))
            channels = width
    return MobileNet(blocks, num_classes)


@register(
    "mobilenetv2",
    family="mobilenet",
    source="torchvision's structure",
    paper=PrintedRow("table3", "other", "", "", "MobileNet V2"),
)
def mobilenetv2(*, num_classes: int, image_size: int) -> nn.Module:
    model = mobilenet(InvertedResidual, num_classes)
    he_normal(model)
    return model


@register(
    "lst-mobilenetv2",
    family="mobilenet",
    source="LST-Net paper, Table 3, LST-Net (M-V2); structure found from the printed counts",
    options=LST_I_OPTIONS,
    paper=PrintedRow("table3", "other", "", "", "LST-Net (M-V2)"),
    note="a structure that meets the printed MACs, not known to be the authors'",
)
def lst_mobilenetv2(*, num_classes: int, image_size: int, **options: Any) -> nn.Module:
    lst_options = LSTOptions(**options)

    def block(inputs: int, outputs: int, stride: int, expansion: int) -> LSTInverted:
        width = inputs if expansion == 1 else 2 * inputs
        return LSTInverted(inputs, width, outputs, stride, lst_options)

    return mobilenet(block, num_classes)
