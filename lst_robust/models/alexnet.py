"""AlexNet (Krizhevsky 2014, torchvision's structure) and its form for small images."""

from __future__ import annotations

from torch import Tensor, nn

from lst_robust.models.registry import register
from lst_robust.models.resnet import he_normal
from lst_robust.models.stems import ALEXNET_STEMS, STEMS


class AlexNet(nn.Module):
    """Five convolutions and three max pools.

    With the ImageNet stem: torchvision's layers and parameter names. With a small stem: the first convolution is 3x3
    and one linear layer behind a global average pool stands for the three (2.5 M parameters for 10 classes).
    """

    def __init__(self, num_classes: int, stem: str) -> None:
        super().__init__()
        spec = STEMS[stem]
        large = stem == "11x11s4"
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, spec.kernel, spec.stride, padding=2 if large else 1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6 if large else 1)
        self.classifier = (
            nn.Sequential(
                nn.Dropout(),
                nn.Linear(256 * 6 * 6, 4096),
                nn.ReLU(inplace=True),
                nn.Dropout(),
                nn.Linear(4096, 4096),
                nn.ReLU(inplace=True),
                nn.Linear(4096, num_classes),
            )
            if large
            else nn.Sequential(nn.Linear(256, num_classes))
        )
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """float32 (N, 3, H, W), normalised -> logits (N, num_classes)."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


@register("alexnet", family="alexnet", source="torchvision's structure", stems=ALEXNET_STEMS)
def alexnet(*, num_classes: int, image_size: int, stem: str) -> nn.Module:
    return AlexNet(num_classes, stem)
