"""What is known of a network besides its weights: before it is built (`ModelEntry`) and after (`ModelConfig`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torchvision's training references
# Normalisation of the released LST-Net code (cifar/main_cifar.py), for CIFAR-10 and CIFAR-100
CIFAR10_MEAN, CIFAR10_STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
CIFAR100_MEAN, CIFAR100_STD = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)


Factory = Callable[..., nn.Module]


@dataclass(frozen=True)
class ModelEntry:
    """One line of the registry.

    `options` holds each option's default; its type is the option's type. None: the factory takes any option.
    `stems` are the allowed values of the option `stem`: ImageNet's, the one for small images, others.

    `paper` names the printed row (table, family, depth, width, model), or is None when the paper has none;
    `paper_options` are the options under which the printed figures were counted, where the defaults differ.
    `note` says where a structure is a guess or a budget match, or what is wrong with the printed figures.
    """

    name: str
    family: str
    factory: Factory
    input_size: int
    num_classes: int
    source: str
    options: Mapping[str, Any] | None = field(default_factory=dict)
    stems: tuple[str, ...] = ()
    paper: tuple[str, ...] | None = None
    paper_options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    interpolation: str = "bilinear"
    crop_pct: float = 0.875


@dataclass(frozen=True)
class ModelConfig:
    """How a network was built and how its input must be prepared.

    The network itself takes float32 (N, 3, H, W), already normalised with `mean` and `std` (of values in 0..1).
    `crop_pct` is the side of the centre crop over the side the image is resized to, with `interpolation`.
    """

    name: str
    family: str
    input_size: int
    num_classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    crop_pct: float
    source: str
    adaptation: str
    options: Mapping[str, object] = field(default_factory=dict)
