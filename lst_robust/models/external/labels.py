"""Whether a network's outputs stand in the order of the data's classes, by the labels that come with its weights.

The labels of a network in another order make nearly every answer wrong, and no number says why. So labels that name the
data's classes are held against them: outputs in another order are put in order where that is unambiguous, and refused
where it is not. A background class in front (1,001 outputs, as of TensorFlow's networks) is left out.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import nn

from lst_robust.data.imagenet import wnids
from lst_robust.errors import UsageError
from lst_robust.models.entry import ModelEntry

logger = logging.getLogger(__name__)
FULL_IMAGENET = {10450, 11221, 11821, 19167, 21841, 21842, 21843}  # outputs of heads for all of ImageNet, or its parts
GENERIC = re.compile(r"(?:label|class)?[ _]?(\d+)")
WNID = re.compile(r"n\d{8}")
KNOWN_SHARE = 0.5  # of the labels that must name a class; fewer say nothing of the order
OTHER_WORDS_SHARE = 0.05  # of them that may name another class, as people call one class by another's name


class Outputs(NamedTuple):
    """Which outputs of a network are the data's classes, in their order (None: all, as they are), and what to note of
    that among the options of its identity."""

    order: tuple[int, ...] | None = None
    note: Mapping[str, str] = {}


class InOrder(nn.Module):
    """A network with some of its outputs, in another order."""

    def __init__(self, network: nn.Module, order: Sequence[int]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("order", torch.tensor(order), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images)[:, self.order]


def with_outputs(network: nn.Module, outputs: Outputs) -> nn.Module:
    """The network itself, or one around it that gives these outputs only."""
    return network if outputs.order is None else InOrder(network, outputs.order)


def fitting_outputs(entry: ModelEntry, classes: Sequence[str]) -> Outputs:
    """The outputs of a network with trained weights for the classes of the data, such as ImageNet's wnids.

    Raises UsageError where it has another number of them, or labels in another order.
    """
    if entry.options is None or entry.zero_shot:  # they have as many outputs as they are asked for
        return Outputs()
    if entry.family == "torchvision" and entry.num_classes != len(classes):
        return Outputs()  # it refuses another number itself, and names the weights that it has
    labels, outputs = entry.labels, range(entry.num_classes)
    background = labels is not None and len(labels) == len(classes) + 1 and labels[0].lower() == "background"
    if background and labels is not None:
        labels, outputs = labels[1:], range(1, len(labels))
    if len(outputs) != len(classes):
        raise UsageError(_other_number(entry, len(classes)))
    order = None if labels is None else _order(entry.name, labels, classes)
    chosen = [outputs[number] for number in order or range(len(classes))]
    noted = ["without background"] * background + ["in the order of the data's classes"] * (order is not None)
    return Outputs(tuple(chosen), {"outputs": ", ".join(noted)}) if noted else Outputs()


def _other_number(entry: ModelEntry, classes: int) -> str:
    if entry.num_classes in FULL_IMAGENET:
        return (
            f"{entry.name} has {entry.num_classes:,} outputs, those of the full ImageNet-21k, and the data has "
            f"{classes:,} classes: take its variant that was fine-tuned on ImageNet-1k (ft_in1k in names of timm)"
        )
    return (
        f"{entry.name} has {entry.num_classes:,} outputs, and the data has {classes:,} classes: choose weights that "
        "were trained on these classes, or a suite of the classes it was trained on"
    )


def _order(name: str, labels: Sequence[str], classes: Sequence[str]) -> tuple[int, ...] | None:
    """Which label is each class; None where they stand in order, or say nothing of it."""
    if all(_generic(label, number) for number, label in enumerate(labels)) and set(labels) != set(classes):
        logger.info(
            "%s has labels without words (%s): its outputs are taken to be in the data's order", name, labels[0]
        )
        return None
    named = _named_classes(labels, classes)
    if sorted(number for number in named if number is not None) == list(range(len(classes))):
        order = tuple(named.index(number) for number in range(len(classes)))
        return None if order == tuple(range(len(classes))) else order
    known = [(number, found) for number, found in enumerate(named) if found is not None]
    elsewhere = [number for number, found in known if found != number]
    if len(known) < KNOWN_SHARE * len(classes):
        logger.warning(
            "%s has labels that are not the data's classes (%s is %s): its outputs are taken to be in the data's order",
            name,
            labels[0],
            classes[0],
        )
        return None
    if len(elsewhere) > OTHER_WORDS_SHARE * len(known):
        first = elsewhere[0]
        raise UsageError(
            f"{name} has its outputs in another order than the data ({len(elsewhere)} of {len(classes)} labels, such "
            f"as {first}: {labels[first]}, which is {classes[first]}), and not all can be told apart: choose others"
        )
    return None


def _named_classes(labels: Sequence[str], classes: Sequence[str]) -> list[int | None]:
    """The class that each label names: the one in its own place if it may be that, else the only one it may be."""
    names = _names(tuple(classes))
    places: dict[str, list[int]] = {}
    for number, words in enumerate(names):
        for word in words:
            places.setdefault(word, []).append(number)
    found: list[int | None] = []
    for number, label in enumerate(labels):
        called = _words(label)
        candidates = places.get(called[0], [])
        in_place = any(word in names[number] for word in called)
        found.append(number if in_place else candidates[0] if len(candidates) == 1 else None)
    return found


@cache
def _names(classes: tuple[str, ...]) -> list[frozenset[str]]:
    """What each class may be called: its own name, and ImageNet's words for a wnid."""
    number_of = {wnid: number for number, wnid in enumerate(wnids())}
    words = _imagenet_words() if number_of.keys() & set(classes) else []
    return [frozenset(_words(one)) | (words[number_of[one]] if one in number_of else frozenset()) for one in classes]


@cache
def _imagenet_words() -> list[frozenset[str]]:
    """Words for the 1,000 classes: those of torchvision, and where timm is installed all that WordNet has."""
    from torchvision.models import ResNet50_Weights

    words = [set(_words(name)) for name in ResNet50_Weights.IMAGENET1K_V1.meta["categories"]]
    try:
        from timm.data import ImageNetInfo
    except ImportError:
        return [frozenset(one) for one in words]
    info = ImageNetInfo("imagenet-1k")
    return [frozenset(one.union(_words(info.index_to_description(i, detailed=False)))) for i, one in enumerate(words)]


def _words(label: str) -> list[str]:
    """The names in "tench, Tinca tinca", in small letters and then the whole; of "n01440764 tench" the wnid alone."""
    if wnid := WNID.match(label.strip()):
        return [wnid.group()]
    return [" ".join(re.split(r"[\W_]+", part.lower())).strip() or part for part in (*label.split(","), label)]


def _generic(label: str, number: int) -> bool:
    found = GENERIC.fullmatch(label.strip().lower())
    return found is not None and int(found[1]) == number
