"""LST-Nets shaped like ResNets, for CIFAR and for ImageNet (paper, Tables 2a and 3a)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from torch import Tensor, nn

from lst_robust.models.lst.blocks import LSTI, LSTII, LSTOptions
from lst_robust.models.registry import register
from lst_robust.models.stems import RESNET_STEMS, stem_convolution, stem_pool

OPTIONS = asdict(LSTOptions())
IMAGENET = "LST-Net paper, Table 3; structure found from the printed counts"


class LSTNet(nn.Module):
    """Stem, stages of LST bottlenecks, handler, global average pool, linear.

    Args:
        blocks: bottlenecks in each stage; every stage but the first starts with stride 2.
        planes: the blocks' core width in each stage; LST-II puts out a² times as many channels.
        handler: whether a 1x1 convolution, BN and ReLU bring LST-II's channels back to `planes` before the pool.
    """

    def __init__(
        self,
        blocks: Sequence[int],
        planes: Sequence[int],
        *,
        num_classes: int,
        stem: str,
        stem_width: int,
        handler: bool,
        options: LSTOptions,
    ) -> None:
        super().__init__()
        self.conv1 = stem_convolution(stem, stem_width)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.bn1 = nn.BatchNorm2d(stem_width)
        self.relu = options.relu()
        self.maxpool = stem_pool(stem)
        channels, groups = stem_width, 1
        stages = []
        for stage, (count, width) in enumerate(zip(blocks, planes, strict=True)):
            stage_blocks = []
            for i in range(count):
                stride = 2 if stage > 0 and i == 0 else 1
                block = (
                    LSTII(channels, width, stride, options, groups)
                    if options.bottleneck == "II"
                    else LSTI(channels, width, stride, options)
                )
                stage_blocks.append(block)
                channels, groups = block.out_channels, block.groups
            stages.append(nn.Sequential(*stage_blocks))
        self.stages = nn.Sequential(*stages)
        self.handler: nn.Module = nn.Identity()
        if handler and options.bottleneck == "II":
            convolution = nn.Conv2d(channels, planes[-1], 1, bias=False)
            nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
            self.handler = nn.Sequential(convolution, nn.BatchNorm2d(planes[-1]), options.relu())
            channels = planes[-1]
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """float32 (N, 3, H, W), normalised -> logits (N, num_classes)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.handler(self.stages(x))
        return self.fc(x.mean((2, 3)))


def imagenet_lst(blocks: Sequence[int], *, num_classes: int, stem: str, **options: Any) -> LSTNet:
    """An ImageNet LST-Net: stem of 64 channels, planes 64-128-256-512."""
    return LSTNet(
        blocks,
        (64, 128, 256, 512),
        num_classes=num_classes,
        stem=stem,
        stem_width=64,
        handler=True,
        options=LSTOptions(**options),
    )


@register("lst18", family="lst", source=IMAGENET, stems=RESNET_STEMS, options=OPTIONS)
def lst18(*, image_size: int, **options: Any) -> nn.Module:
    return imagenet_lst((4, 4, 4, 4), **options)


@register("lst18-relu", family="lst", source=IMAGENET, stems=RESNET_STEMS, options={**OPTIONS, "activation": "relu"})
def lst18_relu(*, image_size: int, **options: Any) -> nn.Module:
    """Table 4's "w/o ST"."""
    return imagenet_lst((4, 4, 4, 4), **options)
