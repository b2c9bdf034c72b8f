"""The two LST bottlenecks (paper, section 3.3 and figure 3)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lst_robust.errors import UsageError
from lst_robust.models.lst.backend import backend
from lst_robust.models.lst.transforms import (
    SoftThreshold,
    SpatialTransform,
    channel_transform,
    resize_transform,
)

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(0.01, inplace=True),
    "prelu": nn.PReLU,
    "elu": lambda: nn.ELU(inplace=True),
    "selu": lambda: nn.SELU(inplace=True),
}
CHOICES = {
    "bottleneck": ("I", "II"),
    "init": ("dct", "random"),
    "activation": ("st-relu", *ACTIVATIONS),
    "channel_transform": ("full", "diagonal"),
    "spatial_transform": ("shared", "per_channel"),
}


@dataclass(frozen=True)
class LSTOptions:
    """What the paper's ablations vary (Table 1), with its defaults.

    `activation="st-relu"` is ReLU with soft thresholding (threshold `tau`); any other value drops soft thresholding
    and puts that activation where ReLU stands, as in Table 1c. `a` is the number of DCT coefficients kept a
    direction, 0 meaning ceil(kernel / 2).
    """

    bottleneck: str = "II"
    init: str = "dct"
    activation: str = "st-relu"
    tau: float = 1e-4
    a: int = 0
    channel_transform: str = "full"
    spatial_transform: str = "shared"

    def __post_init__(self) -> None:
        for option, known in CHOICES.items():
            if getattr(self, option) not in known:
                raise UsageError(f"option {option!r} is {getattr(self, option)!r}: choose from {', '.join(known)}")
        if not self.tau >= 0:
            raise UsageError(f"option 'tau' is {self.tau}: a threshold is 0 or more")

    def coefficients(self, size: int) -> int:
        """a for a kernel of `size`."""
        if not 0 <= self.a <= size:
            raise UsageError(f"option 'a' is {self.a}: a {size}x{size} kernel has 1 to {size} coefficients (0: half)")
        return self.a or math.ceil(size / 2)

    def relu(self) -> nn.Module:
        """The activation where the paper has ReLU."""
        return ACTIVATIONS["relu" if self.activation == "st-relu" else self.activation]()

    def threshold(self) -> nn.Module:
        """The activation where the paper has ST."""
        return SoftThreshold(self.tau) if self.activation == "st-relu" else nn.Identity()


class LSTBlock(nn.Module):
    """What both bottlenecks share: T_c, T_s and the facts the network asks for (`out_channels`, `groups`).

    `groups` is how many channels of the output belong to one feature: a² behind LST-II (k-major), 1 behind LST-I.
    """

    out_channels: int
    groups: int

    def __init__(self, inputs: int, channels: int, size: int, stride: int, options: LSTOptions) -> None:
        super().__init__()
        a = options.coefficients(size)
        self.expansion = a * a
        self.t_c = channel_transform(inputs, channels, a, size, options.init, options.channel_transform)
        self.bn_c = nn.BatchNorm2d(channels)
        self.threshold = options.threshold()
        self.t_s = SpatialTransform(channels, a, size, stride, options.spatial_transform == "shared")
        self.t_s.reset_parameters(a, options.init)
        self.bn_s = nn.BatchNorm2d(channels * self.expansion)
        self.relu = options.relu()


class LSTII(LSTBlock):
    """T_r, BN, ReLU; T_c, BN, ST; T_s, BN; plus shortcut; ST. (N, inputs, H, W) -> (N, a²·planes, H/stride, W/stride),
    rounded up, of the input's dtype; k-major.

    stride: of T_s and of the shortcut. input_groups: `groups` of the block before. size: of T_s's filters.
    """

    def __init__(
        self, inputs: int, planes: int, stride: int, options: LSTOptions, input_groups: int = 1, size: int = 3
    ) -> None:
        super().__init__(planes, planes, size, stride, options)
        self.out_channels, self.groups = planes * self.expansion, self.expansion
        self.t_r = resize_transform(inputs, planes)
        self.bn_r = nn.BatchNorm2d(planes)
        same = stride == 1 and inputs == self.out_channels and input_groups == self.groups
        self.shortcut = (
            nn.Identity() if same else GroupedShortcut(inputs, self.out_channels, stride, input_groups, self.groups)
        )

    def forward(self, x: Tensor) -> Tensor:
        if (compiled := backend().train_block(self, x)) is not None:  # a compiled backend may stand for these steps
            return compiled
        y = self.relu(self.bn_r(self.t_r(x)))
        z = self.threshold(self.bn_c(self.t_c(y)))
        return self.threshold(self.bn_s(self.t_s(z)) + self.shortcut(x))


class LSTI(LSTBlock):
    """T_c, BN, ST; T_s, BN, ReLU; T_r, BN; plus shortcut; ST. (N, inputs, H, W) -> (N, planes, H/stride, W/stride),
    rounded up, of the input's dtype."""

    groups = 1

    def __init__(self, inputs: int, planes: int, stride: int, options: LSTOptions, size: int = 3) -> None:
        super().__init__(inputs, planes, size, stride, options)
        self.out_channels = planes
        self.t_r = resize_transform(planes * self.expansion, planes)
        self.bn_r = nn.BatchNorm2d(planes)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != planes:
            projection = resize_transform(inputs, planes)
            projection.stride = (stride, stride)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(planes))

    def forward(self, x: Tensor) -> Tensor:
        z = self.threshold(self.bn_c(self.t_c(x)))
        y = self.relu(self.bn_s(self.t_s(z)))
        return self.threshold(self.bn_r(self.t_r(y)) + self.shortcut(x))


class GroupedShortcut(nn.Module):
    """LST-II's D: each input channel becomes m = outputs/inputs channels, scaled each (1x1 depthwise), then BN.
    (N, inputs, H, W) -> (N, outputs, H/stride, W/stride), rounded up. Raises UsageError where m is no whole number.

    In the authors' order output channel i takes input channel i // m. `source` is the same rule for k-major channels,
    so that it is a choice of channels followed by a depthwise convolution with multiplier 1.
    """

    source: Tensor

    def __init__(self, inputs: int, outputs: int, stride: int, input_groups: int, output_groups: int) -> None:
        super().__init__()
        if outputs % inputs:
            raise UsageError(
                f"an LST-II shortcut from {inputs} to {outputs} channels is not a whole multiple: change a"
            )
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(outputs, 1, 1, 1))
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        self.bn = nn.BatchNorm2d(outputs)
        taken = authors_order(outputs, output_groups) // (outputs // inputs)
        place = torch.empty(inputs, dtype=torch.long)
        place[authors_order(inputs, input_groups)] = torch.arange(inputs)
        self.register_buffer("source", place[taken], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if (compiled := backend().train_shortcut(self, x)) is not None:  # as in LSTII
            return compiled
        chosen = _select(x, self.stride, self.source)
        if self.bn.training:  # the same product; the gradient of the convolution is slow
            return self.bn(chosen * self.weight.flatten()[:, None, None])
        return self.bn(F.conv2d(chosen, self.weight, groups=self.weight.shape[0]))


def _select(x: Tensor, stride: int, source: Tensor) -> Tensor:
    """x[:, source, ::stride, ::stride] with x's memory format, and its gradient with it too.

    Indexing gives contiguous tensors both ways, and one such gradient makes every BN behind it several times slower.
    """
    chosen = x[:, :, ::stride, ::stride].index_select(1, source)
    if not x.is_contiguous(memory_format=torch.channels_last):
        return chosen
    if x.requires_grad and not torch.compiler.is_compiling():
        x.register_hook(lambda gradient: gradient.contiguous(memory_format=torch.channels_last))
    return chosen.contiguous(memory_format=torch.channels_last)


def authors_order(channels: int, groups: int) -> Tensor:
    """For each k-major channel its number in the authors' order: (channels,) int64; k*c + j -> j*groups + k."""
    return torch.arange(channels).reshape(-1, groups).T.flatten()
