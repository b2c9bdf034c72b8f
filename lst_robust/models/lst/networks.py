"""LST-Nets shaped like ResNets, for CIFAR and for ImageNet (paper, Tables 2a and 3a)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from torch import Tensor, nn

from lst_robust.models.lst.blocks import LSTI, LSTII, LSTOptions
from lst_robust.models.registry import model_info, register
from lst_robust.models.stems import RESNET_STEMS, stem_convolution, stem_pool

OPTIONS = asdict(LSTOptions())
# where LST-I replaces other layers one by one: no choice of bottleneck, and a diagonal T_c cannot change the width
LST_I_OPTIONS = {key: value for key, value in OPTIONS.items() if key not in ("bottleneck", "channel_transform")}


class LSTNet(nn.Module):
    """Stem, stages of LST bottlenecks, handler, global average pool, linear.

    Args:
        blocks: bottlenecks in each stage; every stage but the first starts with stride 2.
        planes: the blocks' core width in each stage; LST-II puts out a² times as many channels.
        handler: whether a 1x1 convolution, BN and ReLU bring LST-II's channels back to `planes` before the pool.
    """

    conv_bn_pairs = (("conv1", "bn1"),)

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


def lst_net(
    blocks: Sequence[int],
    planes: Sequence[int],
    *,
    num_classes: int,
    stem_width: int,
    stem: str = "3x3s1",
    handler: bool = True,
    image_size: int = 0,  # every factory is given it; only the stem depends on it, and that is resolved
    **options: Any,
) -> LSTNet:
    """An `LSTNet` from the registry's options."""
    return LSTNet(
        blocks,
        planes,
        num_classes=num_classes,
        stem=stem,
        stem_width=stem_width,
        handler=handler,
        options=LSTOptions(**options),
    )


CIFAR_SOURCE = "LST-Net paper, Table 2; structure of the authors' released code"
IMAGENET_SOURCE = "LST-Net paper, Table 3; structure found from the printed counts"
DIAGONAL = {"channel_transform": "diagonal"}

for depth in (20, 56, 110, 164):
    blocks = [(depth - 2) // 6 * 2] * 3
    build = partial(lst_net, blocks, (16, 32, 64), stem_width=16)
    printed = ("table2", "resnet", str(depth), "1", "LST-Net")
    facts: dict[str, Any] = {"family": "lst", "source": CIFAR_SOURCE, "input_size": 32, "num_classes": 10}
    register(
        f"lst{depth}",
        options=OPTIONS,
        paper=None if depth == 164 else printed,
        note="counts are not printed; built by the rule of the other depths" if depth == 164 else "",
        **facts,
    )(build)
    register(f"lst{depth}-i", options={**OPTIONS, "bottleneck": "I"}, note="counts are not printed", **facts)(build)

for depth, width in ((16, 8), (16, 10), (22, 8), (22, 10), (28, 10), (28, 12), (40, 4), (40, 8)):
    register(
        f"lst-wrn{depth}-{width}",
        family="lst-wrn",
        source=CIFAR_SOURCE,
        input_size=32,
        num_classes=10,
        options=OPTIONS,
        paper=("table2", "wrn", str(depth), str(width), "LST-Net"),
        paper_options={} if (depth, width) in ((22, 10), (28, 10)) or depth == 40 else DIAGONAL,
        note="no structure was found that gives the printed figures" if depth == 40 else "",
    )(partial(lst_net, [(depth - 4) // 3] * 3, [width * planes for planes in (16, 32, 64)], stem_width=16))

# name, blocks, width multiplier, handler, T_c counted diagonal in the printed row, note
IMAGENET_NETS = (
    ("lst18", (4, 4, 4, 4), 1.0, True, False, ""),
    ("lst34", (6, 8, 12, 6), 1.0, True, False, ""),
    ("lst50", (10, 14, 21, 10), 1.0, False, False, "unique in its search box"),
    ("lst101", (10, 14, 77, 10), 1.0, False, False, ""),
    ("lst18-x1.5", (4, 4, 4, 4), 1.5, True, True, ""),
    ("lst18-x2", (4, 4, 4, 4), 2.0, True, True, ""),
    ("lst18-x3", (4, 4, 4, 4), 3.0, True, True, ""),
    ("lst34-x1.5", (6, 8, 12, 6), 1.5, True, True, ""),
    ("lst34-x2", (6, 8, 12, 6), 2.0, True, True, ""),
    ("lst50-x2", (10, 12, 16, 10), 2.0, True, True, "the counts fit, but other patterns of blocks could too"),
)

for name, pattern, factor, handler, diagonal, note in IMAGENET_NETS:
    planes = [int(factor * width) for width in (64, 128, 256, 512)]
    depth = int(name.removeprefix("lst").partition("-")[0])
    register(
        name,
        family="lst",
        source=IMAGENET_SOURCE,
        stems=RESNET_STEMS,
        options=OPTIONS,
        paper=("table3", "resnet" if factor == 1 else "wrn", str(depth), f"{factor:g}", "LST-Net"),
        paper_options=DIAGONAL if diagonal else {},
        note=note,
    )(partial(lst_net, pattern, planes, stem_width=planes[0], handler=handler))

# Without ST: its place is empty, and ReLU stands where it stood.
for name, facts in (
    ("lst18", {"source": 'LST-Net paper, Table 4, "w/o ST"', "stems": RESNET_STEMS}),
    ("lst20", {"source": "LST-Net paper, Table 1c, for CIFAR", "input_size": 32, "num_classes": 10}),
):
    register(
        f"{name}-relu",
        family="lst",
        options={**OPTIONS, "activation": "relu"},
        note="counts are not printed",
        **facts,
    )(model_info(name).factory)
