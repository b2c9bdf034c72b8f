"""Networks without spatial convolutions: ShiftNet and ShiftResNet (Wu et al. 2018), FE-Net (Chen et al. 2019), and
the paper's LST-Nets (A), (B), (C) made in their likeness."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lst_robust.models.cifar_resnet import PLANES
from lst_robust.models.entry import CIFAR10, PrintedRow
from lst_robust.models.lst.blocks import LSTI, LSTOptions
from lst_robust.models.lst.networks import LST_I_OPTIONS
from lst_robust.models.registry import register
from lst_robust.models.resnet import conv, he_normal


class Shift(nn.Module):
    """Moves each channel by its own offset, zeros come in: no parameters, no arithmetic; shape stays.

    The channels are dealt evenly to the size² offsets; those left over stay where they are.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.radius = size // 2
        self.offsets = [(dy, dx) for dy in range(size) for dx in range(size)]
        share = channels // len(self.offsets)
        self.shares = [share] * len(self.offsets)
        self.shares[len(self.offsets) // 2] += channels - sum(self.shares)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        padded = F.pad(x, [self.radius] * 4)
        groups = padded.split(self.shares, 1)
        return torch.cat(
            [g[:, :, dy : dy + height, dx : dx + width] for g, (dy, dx) in zip(groups, self.offsets, strict=True)], 1
        )


class SparseShift(nn.Module):
    """FE-Net's learned shift: each channel has an offset in [-1, 1]², rounded to whole pixels in the forward pass.

    The gradient reaches the offsets through bilinear interpolation (the rounding counts as the identity).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.empty(channels, 2).uniform_(-1, 1))

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        offset = self.offset.clamp(-1, 1)
        grid = torch.arange(-1, 2, device=x.device, dtype=offset.dtype)
        soft = (1 - (offset[:, :, None] - grid).abs()).clamp(min=0)  # (C, 2, 3): shares of -1, 0, 1 pixels
        hard = (offset.round()[:, :, None] == grid).to(soft.dtype)
        shares = (soft + (hard - soft).detach())[:, :, :, None, None]
        padded = F.pad(x, [1] * 4)
        rows = [shares[:, 0, i] * padded[:, :, i : i + height] for i in range(3)]
        moved = rows[0] + rows[1] + rows[2]
        columns = [shares[:, 1, i] * moved[..., i : i + width] for i in range(3)]
        return columns[0] + columns[1] + columns[2]


class ShiftResidual(nn.Module):
    """1x1 to 6 times the inputs, BN, ReLU, shift, 1x1 with the stride, BN; shortcut without parameters; ReLU."""

    conv_bn_pairs = (("conv1", "bn1"), ("conv2", "bn2"))

    def __init__(self, inputs: int, outputs: int, stride: int, learned: bool) -> None:
        super().__init__()
        width = 6 * inputs
        self.conv1, self.bn1 = conv(inputs, width, 1), nn.BatchNorm2d(width)
        self.shift = SparseShift(width) if learned else Shift(width, 3)
        self.conv2, self.bn2 = conv(width, outputs, 1, stride), nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(self.shift(y)))
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True)
        return (y + F.pad(x, (0, 0, 0, 0, 0, self.added))).relu()


class ShiftBlock(nn.Module):
    """ShiftNet's unit: BN, ReLU, 1x1, shift, BN, ReLU, 1x1 with the stride; plus input.

    With a stride the pooled input stands beside the new channels instead of being added.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, size: int, expansion: int) -> None:
        super().__init__()
        self.stride = stride
        new = outputs - inputs if stride > 1 else outputs
        width = new * expansion
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, width, 1)
        self.shift = Shift(width, size)
        self.bn2, self.conv2 = nn.BatchNorm2d(width), conv(width, new, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.shift(self.conv1(self.bn1(x).relu()))
        y = self.conv2(self.bn2(y).relu())
        return torch.cat([y, F.avg_pool2d(x, 3, self.stride, 1)], 1) if self.stride > 1 else x + y


class ChainNet(nn.Module):
    """Stem, blocks in a row, global average pool, linear."""

    def __init__(self, stem: nn.Module, blocks: list[nn.Module], channels: int, num_classes: int) -> None:
        super().__init__()
        self.stem = stem
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """float32 (N, 3, H, W), normalised -> logits (N, num_classes)."""
        return self.fc(self.blocks(self.stem(x)).mean((2, 3)))


def _stem(width: int, size: int, stride: int, activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(conv(3, width, size, stride), nn.BatchNorm2d(width), activation)


def shift_resnet(depth: int, *, learned: bool, num_classes: int, image_size: int) -> ChainNet:
    """CIFAR ResNet whose blocks are `ShiftResidual`, (depth - 2) / 6 a stage."""
    blocks: list[nn.Module] = []
    channels = PLANES[0]
    for stage, width in enumerate(PLANES):
        for i in range((depth - 2) // 6):
            blocks.append(ShiftResidual(channels, width, 2 if stage > 0 and i == 0 else 1, learned))
            channels = width
    model = ChainNet(_stem(PLANES[0], 3, 1, nn.ReLU(inplace=True)), blocks, channels, num_classes)
    he_normal(model)
    return model


# ShiftNet's kernel of each stage, and expansion of its first and its further blocks
SHIFT_KERNELS, SHIFT_EXPANSIONS = (5, 5, 3, 3), ((4, 4), (4, 3), (3, 2), (2, 1))


def shiftnet(
    widths: tuple[int, ...], depths: tuple[int, ...], stem_width: int, *, num_classes: int, image_size: int
) -> ChainNet:
    """ShiftNet: 7x7 stem of stride 2, four stages that each begin with stride 2."""
    blocks: list[nn.Module] = []
    channels = stem_width
    for width, depth, size, expansions in zip(widths, depths, SHIFT_KERNELS, SHIFT_EXPANSIONS, strict=True):
        for i in range(depth):
            blocks.append(ShiftBlock(channels, width, 2 if i == 0 else 1, size, expansions[min(i, 1)]))
            channels = width
    blocks += [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
    model = ChainNet(conv(3, stem_width, 7, 2), blocks, channels, num_classes)
    he_normal(model)
    return model


def lst_chain(
    widths: tuple[int, ...],
    depths: tuple[int, ...],
    kernels: tuple[int, ...],
    stem_width: int,
    *,
    num_classes: int,
    image_size: int,
    **options: Any,
) -> ChainNet:
    """LST-I bottlenecks behind a 7x7 stem of stride 2; every stage begins with stride 2."""
    lst_options = LSTOptions(**options)
    blocks: list[nn.Module] = []
    channels = stem_width
    for width, depth, size in zip(widths, depths, kernels, strict=True):
        for i in range(depth):
            blocks.append(LSTI(channels, width, 2 if i == 0 else 1, lst_options, size))
            channels = width
    stem = _stem(stem_width, 7, 2, lst_options.relu())
    he_normal(stem)
    return ChainNet(stem, blocks, channels, num_classes)


LEARNED = "a guess: ShiftResNet with learned shifts, as both have the same printed counts"
DEEPER = "built by the rule of the smaller depths"
WIDE, NARROW = (64, 128, 256, 512), (32, 64, 128, 256)

# depth, what the paper calls it, note
CIFAR_NETWORKS = {
    "shiftresnet20": (20, "ShiftResNet", ""),
    "shiftresnet56": (56, "ShiftResNet", ""),
    "shiftresnet110": (110, "ShiftResNet", DEEPER),
    "shiftresnet164": (164, "ShiftResNet", DEEPER),
    "fenet20": (20, "FE-Net", LEARNED),
    "fenet56": (56, "FE-Net", LEARNED),
    "fenet110": (110, "FE-Net", f"{LEARNED}; {DEEPER}"),
    "fenet164": (164, "FE-Net", f"{LEARNED}; {DEEPER}"),
}
# what the paper calls it, widths and depths of the stages, width of the stem, note
SHIFTNETS = {
    "shiftnet-a": ("ShiftNet-A", WIDE, (5, 6, 7, 3), 32, ""),
    "shiftnet-b": ("ShiftNet-B", NARROW, (5, 6, 7, 3), 16, "A with half the channels"),
    "shiftnet-c": ("ShiftNet-C", NARROW, (1, 4, 4, 3), 16, "a guess that comes near the printed budget"),
}
# what the paper calls it, widths, depths and kernels of the stages, width of the stem
LST_NETWORKS = {
    "lst-a": ("LST-Net (A)", WIDE, (4, 1, 2, 2), (5, 5, 3, 3), 16),
    "lst-b": ("LST-Net (B)", NARROW, (1, 6, 5, 1), (3, 3, 3, 3), 64),
    "lst-c": ("LST-Net (C)", NARROW, (3, 5, 1, 1), (3, 3, 3, 3), 64),
}

for name, (depth, printed_name, note) in CIFAR_NETWORKS.items():
    register(
        name,
        family="shift",
        source=f"LST-Net paper, Table 2, {printed_name}",
        images=CIFAR10,
        paper=None if depth == 164 else PrintedRow("table2", "resnet", str(depth), "1", printed_name),
        note=note,
    )(partial(shift_resnet, depth, learned=printed_name == "FE-Net"))

for name, (printed_name, widths, depths, stem_width, note) in SHIFTNETS.items():
    register(
        name,
        family="shift",
        source=f"LST-Net paper, Table 3, {printed_name}",
        paper=PrintedRow("table3", "other", "", "", printed_name),
        note=note,
    )(partial(shiftnet, widths, depths, stem_width))

for name, (printed_name, widths, depths, kernels, stem_width) in LST_NETWORKS.items():
    register(
        name,
        family="shift",
        source=f"LST-Net paper, Table 3, {printed_name}",
        options=LST_I_OPTIONS,
        paper=PrintedRow("table3", "other", "", "", printed_name),
        note="budget match: the authors' structure cannot be known from the counts",
    )(partial(lst_chain, widths, depths, kernels, stem_width))
