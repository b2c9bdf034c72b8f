"""First layers of the ImageNet-shaped networks, for large and for small images."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from lst_robust.errors import UsageError

SMALLEST_IMAGENET_SIZE = 112  # below this, stride 4 before the first stage leaves too few pixels


class Stem(NamedTuple):
    """Kernel and stride of the first convolution, whether a 3x3 max pool of stride 2 follows, and the wording."""

    kernel: int
    stride: int
    pool: bool
    text: str


STEMS = {
    "7x7s2-pool": Stem(7, 2, True, "as on ImageNet: 7x7 convolution of stride 2, then 3x3 max pool of stride 2"),
    "11x11s4": Stem(11, 4, True, "as on ImageNet: 11x11 convolution of stride 4, three linear layers"),
    "3x3s1": Stem(3, 1, False, "small images: begins with a 3x3 convolution of stride 1, no pool behind it"),
    "3x3s2": Stem(3, 2, False, "small images, cheap: begins with a 3x3 convolution of stride 2, no pool behind it"),
    "3x3s1-pool": Stem(3, 1, True, "small images: a 3x3 convolution of stride 1, then a 3x3 max pool of stride 2"),
    "3x3s2-pool": Stem(
        3, 2, True, "small images, cheapest: a 3x3 convolution of stride 2, then a 3x3 max pool of stride 2"
    ),
}
"""What each value of the option `stem` means; the text is what a model says of its adaptation."""

RESNET_STEMS = ("7x7s2-pool", "3x3s1", "3x3s2", "3x3s1-pool", "3x3s2-pool")
ALEXNET_STEMS = ("11x11s4", "3x3s1-pool", "3x3s2-pool")  # a pool always follows in AlexNet


def resolve_stem(stem: str, allowed: tuple[str, ...], image_size: int) -> str:
    """The stem that is meant: `auto` is the first of `allowed` from 112 pixels on and the second below."""
    if stem == "auto":
        return allowed[0] if image_size >= SMALLEST_IMAGENET_SIZE else allowed[1]
    if stem not in allowed:
        raise UsageError(f"option 'stem' is {stem!r}: choose from auto, {', '.join(allowed)}")
    return stem


def stem_convolution(stem: str, width: int) -> nn.Conv2d:
    """The first convolution, 3 -> `width` channels, without bias."""
    spec = STEMS[stem]
    return nn.Conv2d(3, width, spec.kernel, spec.stride, spec.kernel // 2, bias=False)


def stem_pool(stem: str) -> nn.Module:
    """The max pool behind it, or nothing."""
    return nn.MaxPool2d(3, 2, 1) if STEMS[stem].pool else nn.Identity()
