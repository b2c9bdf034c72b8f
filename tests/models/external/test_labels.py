"""Outputs of networks are the data's classes in their order, or the network is refused."""

from __future__ import annotations

import pytest
import torch
from timm.data import ImageNetInfo
from torch import nn
from torchvision.models import ResNet50_Weights

from lst_robust.data.imagenet import wnids
from lst_robust.errors import UsageError
from lst_robust.models.entry import ModelEntry
from lst_robust.models.external import labels as module
from lst_robust.models.external.labels import Outputs, fitting_outputs, with_outputs

INFO = ImageNetInfo("imagenet-1k")
WORDNET = [INFO.index_to_description(number, detailed=False) for number in range(1000)]
TORCHVISION = ResNet50_Weights.DEFAULT.meta["categories"]
AS_THEY_ARE = Outputs()


def outputs(labels, classes, **fields):
    count = fields.pop("num_classes", len(labels or classes))
    entry = ModelEntry(
        "hf:a/b", fields.pop("family", "hf"), nn.Identity, 224, count, "", labels=labels and tuple(labels), **fields
    )
    return fitting_outputs(entry, tuple(classes))


@pytest.mark.parametrize("labels", [WORDNET, TORCHVISION, list(wnids())], ids=["wordnet", "torchvision", "wnids"])
def test_imagenets_order_is_known_in_each_of_its_words(labels, said):
    assert labels[0].startswith(("tench", "n01440764"))
    assert outputs(labels, wnids()) == AS_THEY_ARE
    assert outputs([f"{wnid} {label}" for wnid, label in zip(wnids(), labels, strict=True)], wnids()) == AS_THEY_ARE
    assert not said()


def test_names_of_openai_are_in_order_though_some_words_differ(said):
    open_clip = pytest.importorskip("open_clip")
    assert outputs(open_clip.IMAGENET_CLASSNAMES, wnids()) == AS_THEY_ARE
    assert not said()


def test_without_timm_the_words_of_torchvision_are_enough(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm.data", None)
    module._names.cache_clear()
    module._imagenet_words.cache_clear()
    try:
        assert outputs(WORDNET, wnids()) == AS_THEY_ARE
    finally:
        module._names.cache_clear()
        module._imagenet_words.cache_clear()


def test_imagenet_in_the_order_of_the_alphabet_is_refused():
    with pytest.raises(UsageError, match=r"another order than the data \(9\d\d of 1000 labels, such as 0: "):
        outputs(sorted(WORDNET), wnids())  # two classes are called crane: which is which cannot be said


def test_another_order_is_put_in_order_where_that_is_unambiguous():
    swapped = [WORDNET[1], WORDNET[0], *WORDNET[2:]]
    assert outputs(swapped, wnids()).order == (1, 0, *range(2, 1000))
    backwards = outputs(wnids()[::-1], wnids())
    assert backwards.order == tuple(range(999, -1, -1))
    assert backwards.note == {"outputs": "in the order of the data's classes"}
    assert outputs(["dog", "Aquarium Fish", "cat"], ["aquarium_fish", "cat", "dog"]).order == (1, 2, 0)


def test_the_outputs_in_order_are_the_classes():
    chosen = outputs(["dog", "fish", "cat"], ["cat", "dog", "fish"])
    network = with_outputs(nn.Identity(), chosen)
    assert network(torch.tensor([[1.0, 2.0, 0.0]])).tolist() == [[0.0, 1.0, 2.0]]  # dog 1, fish 2, cat 0
    assert with_outputs(network, AS_THEY_ARE) is network


def test_a_background_in_front_is_left_out():
    chosen = outputs(["background", *WORDNET], wnids())
    assert chosen.order == tuple(range(1, 1001)) and chosen.note == {"outputs": "without background"}
    both = outputs(["background", "dog", "cat"], ["cat", "dog"])
    assert both.order == (2, 1)
    assert both.note == {"outputs": "without background, in the order of the data's classes"}


@pytest.mark.parametrize("labels", [["tench", *WORDNET], [f"LABEL_{i}" for i in range(1001)], None])
def test_1001_outputs_without_a_background_are_refused(labels):
    with pytest.raises(UsageError, match="1,001 outputs, and the data has 1,000 classes"):
        outputs(labels, wnids(), num_classes=1001)


@pytest.mark.parametrize("count", [21841, 21843, 11821])
def test_a_head_of_the_full_imagenet_is_refused_by_name(count):
    with pytest.raises(
        UsageError, match=r"ImageNet-21k.*take its variant that was fine-tuned on ImageNet-1k \(ft_in1k"
    ):
        outputs([f"LABEL_{number}" for number in range(count)], wnids())


@pytest.mark.parametrize("label", ["LABEL_{}", "{}", "class {}"])
def test_labels_without_words_are_taken_in_order_with_a_note(label, said):
    assert outputs([label.format(number) for number in range(1000)], wnids()) == AS_THEY_ARE
    assert "labels without words" in "".join(said())


def test_numbers_that_are_the_classes_are_held_against_them(said):
    assert outputs(["0", "1", "2"], ["0", "1", "2"]) == AS_THEY_ARE and not said()
    assert outputs(["2", "0", "1"], ["0", "1", "2"]).order == (1, 2, 0)


def test_labels_of_something_else_are_taken_in_order_with_a_warning(said):
    assert outputs(["negative", "positive"], ["no", "yes"]) == AS_THEY_ARE
    assert "negative is no" in "".join(said())


def test_an_order_that_cannot_be_told_is_refused():
    with pytest.raises(UsageError, match=r"1 of 3 labels, such as 2: cat, which is fish\)"):
        outputs(["pike", "dog", "cat"], ["cat", "dog", "fish"])


def test_classes_without_letters_are_told_apart():
    assert outputs(["-", "+"], ["+", "-"]).order == (1, 0)


def test_networks_without_labels_and_those_that_are_told_their_classes():
    assert outputs(None, ["cat", "dog"]) == AS_THEY_ARE
    assert outputs(None, ["cat", "dog"], num_classes=1000, options=None) == AS_THEY_ARE  # of a file, built as asked for
    assert outputs(None, ["cat", "dog"], num_classes=1000, zero_shot=True) == AS_THEY_ARE
    assert (
        outputs(None, ["cat", "dog"], num_classes=1000, family="torchvision") == AS_THEY_ARE
    )  # it refuses them itself
    with pytest.raises(UsageError, match="another order"):
        outputs(TORCHVISION, wnids()[::-1], family="torchvision")
    with pytest.raises(UsageError, match="1,000 outputs, and the data has 2 classes"):
        outputs(None, ["cat", "dog"], num_classes=1000)
