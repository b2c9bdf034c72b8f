"""ResNet, SENet and CBAM for ImageNet (He et al. 2016, Hu et al. 2018, Woo et al. 2018).

Structure and parameter names are torchvision's (version 1.5 bottleneck: the 3x3 convolution has the stride).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from lst_robust.models.attention import CBAM, SqueezeExcite
from lst_robust.models.entry import PrintedRow
from lst_robust.models.registry import register
from lst_robust.models.stems import RESNET_STEMS, stem_convolution, stem_pool

Attention = Callable[[int], nn.Module]


def conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias that keeps the size (before its stride)."""
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)


class Basic(nn.Module):
    """Two 3x3 convolutions."""

    expansion = 1
    conv_bn_pairs = (("conv1", "bn1"), ("conv2", "bn2"))  # what `optimize_for_inference` may fold

    def __init__(self, inputs: int, planes: int, stride: int, attention: Attention | None) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, planes, 3, stride), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = conv(planes, planes, 3), nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.attention = attention(planes) if attention else nn.Identity()
        self.downsample = projection(inputs, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.attention(self.bn2(self.conv2(y)))
        return self.relu(y + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1 to four times `planes`; `width` is the 3x3's (wide ResNets differ)."""

    expansion = 4
    conv_bn_pairs = (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"))

    def __init__(
        self, inputs: int, planes: int, stride: int, attention: Attention | None, width_factor: int = 1
    ) -> None:
        super().__init__()
        width, outputs = planes * width_factor, planes * self.expansion
        self.conv1, self.bn1 = conv(inputs, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, outputs, 1), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.attention = attention(outputs) if attention else nn.Identity()
        self.downsample = projection(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.attention(self.bn3(self.conv3(y)))
        return self.relu(y + self.downsample(x))


def projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    """The shortcut: identity where the shape stays, else 1x1 convolution and BN."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


class ResNet(nn.Module):
    """Stem, residual stages (every one but the first starts with stride 2), global average pool, linear."""

    conv_bn_pairs = (("conv1", "bn1"),)

    def __init__(
        self,
        make_block: Callable[[int, int, int], nn.Module],
        expansion: int,
        blocks: Sequence[int],
        planes: Sequence[int],
        *,
        num_classes: int,
        stem: str,
        stem_width: int,
    ) -> None:
        super().__init__()
        self.conv1 = stem_convolution(stem, stem_width)
        self.bn1 = nn.BatchNorm2d(stem_width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = stem_pool(stem)
        channels = stem_width
        self.stage_count = len(blocks)
        for stage, (count, width) in enumerate(zip(blocks, planes, strict=True)):
            layers = []
            for i in range(count):
                layers.append(make_block(channels, width, 2 if stage > 0 and i == 0 else 1))
                channels = width * expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(channels, num_classes)
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """float32 (N, 3, H, W), normalised -> logits (N, num_classes)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in range(self.stage_count):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


def he_normal(model: nn.Module) -> None:
    """He-normal weights over the outputs for every convolution of `model`."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def imagenet_resnet(
    depth: int, *, num_classes: int, image_size: int, stem: str, attention: Attention | None = None
) -> ResNet:
    """ResNet-18, 34, 50 or 101 with planes 64-128-256-512, optionally with attention in every block."""
    block: type[Basic] | type[Bottleneck]
    block, blocks = {
        18: (Basic, (2, 2, 2, 2)),
        34: (Basic, (3, 4, 6, 3)),
        50: (Bottleneck, (3, 4, 6, 3)),
        101: (Bottleneck, (3, 4, 23, 3)),
    }[depth]
    return ResNet(
        lambda inputs, planes, stride: block(inputs, planes, stride, attention),
        block.expansion,
        blocks,
        (64, 128, 256, 512),
        num_classes=num_classes,
        stem=stem,
        stem_width=64,
    )


# Name and depth of every network of a family
NETWORKS = {
    "resnet": {"resnet18": 18, "resnet34": 34, "resnet50": 50, "resnet101": 101},
    "senet": {"senet18": 18, "senet34": 34, "senet50": 50, "senet101": 101},
    "cbam": {"cbam18": 18, "cbam34": 34, "cbam50": 50, "cbam101": 101},
}
PRINTED_NAMES = {"resnet": "ResNet", "senet": "SENet", "cbam": "CBAM"}
ATTENTION: dict[str, Attention | None] = {"resnet": None, "senet": SqueezeExcite, "cbam": CBAM}
SOURCES = {
    "resnet": "torchvision's structure",
    "senet": "torchvision's ResNet with SE, reduction 16, in every block",
    "cbam": "torchvision's ResNet with CBAM, reduction 16, in every block",
}
MISPRINTS = {
    "resnet34": "misprint in the paper: 21.70 M stands for 21.80 M",
    "resnet101": "misprint in the paper: 7.89 G stands for 7.80 G",
    "senet101": "the printed parameters are met without biases in SE",
}

for family, depths in NETWORKS.items():
    for name, depth in depths.items():
        register(
            name,
            family=family,
            source=SOURCES[family],
            stems=RESNET_STEMS,
            paper=PrintedRow("table3", "resnet", str(depth), "1", PRINTED_NAMES[family]),
            note=MISPRINTS.get(name, ""),
        )(
            partial(
                imagenet_resnet,
                depth,
                attention=partial(SqueezeExcite, bias=False) if name == "senet101" else ATTENTION[family],
            )
        )
