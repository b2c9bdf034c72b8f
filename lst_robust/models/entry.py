"""What is known of a network besides its weights: before it is built (`ModelEntry`) and after (`ModelConfig`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import nn

Factory = Callable[..., nn.Module]


class ImageKind(NamedTuple):
    """The images that a network is made for, with the mean and standard deviation of their values in 0..1."""

    size: int
    num_classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = ImageKind(224, 1000, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # torchvision's training references
# Normalisation of the released LST-Net code (cifar/main_cifar.py)
CIFAR10 = ImageKind(32, 10, (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
CIFAR100 = ImageKind(32, 100, (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761))


@dataclass(frozen=True)
class PrintedRow:
    """A row of the paper's Table 2 or 3, by what its columns say.

    `options` are those under which the printed figures were counted, where the network's defaults differ.
    """

    table: str
    family: str
    depth: str
    width: str
    model: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelEntry:
    """One line of the registry.

    `options` holds each option's default; its type is the option's type. None: the factory takes any option.
    `stems` are the allowed values of the option `stem`: ImageNet's, the one for small images, others.
    `synonyms`: of an option, other words for its values, which mean the same network.

    `own_weights`: the name means weights as well as a structure, as of a repository; they need no option.
    `zero_shot`: the outputs are whatever classes its factory is told by their names, as a further argument `classes`.
    `labels`: what the outputs are called in the place where the weights come from.
    `own_pixels`: `mean` and `std` are those its trained weights need, on any data.

    `paper` is the printed row, or None when the paper has none.
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
    synonyms: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    own_weights: bool = False
    zero_shot: bool = False
    labels: tuple[str, ...] | None = None
    own_pixels: bool = False
    paper: PrintedRow | None = None
    note: str = ""
    mean: tuple[float, float, float] = IMAGENET.mean
    std: tuple[float, float, float] = IMAGENET.std
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
