"""LST-Nets shaped like ResNets, for CIFAR and for ImageNet (paper, Tables 2a and 3a)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lst_robust.models.entry import CIFAR10, PrintedRow
from lst_robust.models.lst.backend import backend
from lst_robust.models.lst.blocks import LSTI, LSTII, LSTOptions
from lst_robust.models.lst.form import has_hooks, hooks_everywhere
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
        x = self.handler(self._trained_at_once(x) if self.training else self.stages(x))
        return self.fc(x.mean((2, 3)))

    def _trained_at_once(self, x: Tensor) -> Tensor:
        """`stages`, by a compiled backend that takes all blocks at once if nobody looks at one of them by a hook."""
        blocks = [] if torch.compiler.is_compiling() else _blocks_of(self.stages)
        out = backend().train_blocks(blocks, x) if blocks else None
        return self.stages(x) if out is None else out


def _blocks_of(stages: nn.Module) -> list[LSTII]:
    """The blocks in the order in which they are called, one as often as it is. An empty list where something else than
    `LSTII` is among them, or somebody looks at one or at a stage by a hook."""
    if type(stages) is not nn.Sequential or not all(type(stage) is nn.Sequential for stage in stages):
        return []
    modules = [module for stage in stages for module in stage]  # type: ignore[attr-defined]
    blocks = [module for module in modules if type(module) is LSTII]
    watched = hooks_everywhere() or any(map(has_hooks, (stages, *stages, *modules)))
    return [] if watched or len(blocks) < len(modules) else blocks


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
UNPRINTED = "counts are not printed"

# depth, bottleneck, whether the paper prints its counts
CIFAR_NETWORKS = {
    "lst20": (20, "II", True),
    "lst20-i": (20, "I", False),
    "lst56": (56, "II", True),
    "lst56-i": (56, "I", False),
    "lst110": (110, "II", True),
    "lst110-i": (110, "I", False),
    "lst164": (164, "II", False),
    "lst164-i": (164, "I", False),
}
# depth, width, whether the printed row counts T_c diagonal
WIDE_NETWORKS = {
    "lst-wrn16-8": (16, 8, True),
    "lst-wrn16-10": (16, 10, True),
    "lst-wrn22-8": (22, 8, True),
    "lst-wrn22-10": (22, 10, False),
    "lst-wrn28-10": (28, 10, False),
    "lst-wrn28-12": (28, 12, True),
    "lst-wrn40-4": (40, 4, False),
    "lst-wrn40-8": (40, 8, False),
}
# depth, blocks of each stage, how many times as wide, handler, whether the printed row counts T_c diagonal, note
IMAGENET_NETWORKS = {
    "lst18": (18, (4, 4, 4, 4), 1.0, True, False, ""),
    "lst34": (34, (6, 8, 12, 6), 1.0, True, False, ""),
    "lst50": (50, (10, 14, 21, 10), 1.0, False, False, "unique in its search box"),
    "lst101": (101, (10, 14, 77, 10), 1.0, False, False, ""),
    "lst18-x1.5": (18, (4, 4, 4, 4), 1.5, True, True, ""),
    "lst18-x2": (18, (4, 4, 4, 4), 2.0, True, True, ""),
    "lst18-x3": (18, (4, 4, 4, 4), 3.0, True, True, ""),
    "lst34-x1.5": (34, (6, 8, 12, 6), 1.5, True, True, ""),
    "lst34-x2": (34, (6, 8, 12, 6), 2.0, True, True, ""),
    "lst50-x2": (50, (10, 12, 16, 10), 2.0, True, True, "the counts fit, but other patterns of blocks could too"),
}
RELU = {**OPTIONS, "activation": "relu"}  # ST is left out; ReLU stays

for name, (depth, bottleneck, is_printed) in CIFAR_NETWORKS.items():
    note = f"{UNPRINTED}; built by the rule of the other depths" if name == "lst164" else UNPRINTED
    register(
        name,
        family="lst",
        source=CIFAR_SOURCE,
        images=CIFAR10,
        options={**OPTIONS, "bottleneck": bottleneck},
        paper=PrintedRow("table2", "resnet", str(depth), "1", "LST-Net") if is_printed else None,
        note="" if is_printed else note,
    )(partial(lst_net, [(depth - 2) // 6 * 2] * 3, (16, 32, 64), stem_width=16))

for name, (depth, width, diagonal) in WIDE_NETWORKS.items():
    register(
        name,
        family="lst-wrn",
        source=CIFAR_SOURCE,
        images=CIFAR10,
        options=OPTIONS,
        paper=PrintedRow("table2", "wrn", str(depth), str(width), "LST-Net", DIAGONAL if diagonal else {}),
        note="no structure was found that gives the printed figures" if depth == 40 else "",
    )(partial(lst_net, [(depth - 4) // 3] * 3, [width * planes for planes in (16, 32, 64)], stem_width=16))

for name, (depth, blocks, factor, handler, diagonal, note) in IMAGENET_NETWORKS.items():
    planes = [int(factor * width) for width in (64, 128, 256, 512)]
    kind = "resnet" if factor == 1 else "wrn"
    register(
        name,
        family="lst",
        source=IMAGENET_SOURCE,
        stems=RESNET_STEMS,
        options=OPTIONS,
        paper=PrintedRow("table3", kind, str(depth), f"{factor:g}", "LST-Net", DIAGONAL if diagonal else {}),
        note=note,
    )(partial(lst_net, blocks, planes, stem_width=planes[0], handler=handler))

register(
    "lst18-relu",
    family="lst",
    source='LST-Net paper, Table 4, "w/o ST"',
    stems=RESNET_STEMS,
    options=RELU,
    note=UNPRINTED,
)(model_info("lst18").factory)
register(
    "lst20-relu",
    family="lst",
    source="LST-Net paper, Table 1c, for CIFAR",
    images=CIFAR10,
    options=RELU,
    note=UNPRINTED,
)(model_info("lst20").factory)
