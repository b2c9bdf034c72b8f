"""What is known of a network besides its weights, carried by every model as `.config`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torchvision's training references
CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # CIFAR-10's training images


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
