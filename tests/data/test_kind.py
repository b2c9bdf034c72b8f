"""The record of a kind of data set: what it must state, and what it answers."""

from __future__ import annotations

from typing import Literal

import pytest

from lst_robust.data import DatasetConfig, DatasetKind, dataset_kinds
from lst_robust.data.cifar import CifarDataset
from lst_robust.errors import UsageError


class Toys(DatasetConfig):
    """Toys."""

    kind: Literal["toys"]


class Nameless(DatasetConfig):
    """No name."""


class TwoNames(DatasetConfig):
    """Two names."""

    kind: Literal["a", "b"]


class NoName(DatasetConfig):
    """A name that no suite can hold."""

    kind: Literal["../toys"]


def no_images(config, root, split, image_size):
    raise NotImplementedError


def test_a_kind_is_named_by_its_section():
    kind = DatasetKind(config=Toys, open=no_images)
    assert (kind.name, kind.has_official, kind.fixed_size, kind.download) == ("toys", False, False, None)
    assert Toys(kind="toys").dataset_name == "toys"
    assert CifarDataset(kind="cifar", name="cifar10").dataset_name == "cifar10"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"config": Nameless}, "config is the class Nameless: it must state its name"),
        ({"config": TwoNames}, "it must state its name"),
        ({"config": NoName}, "it must state its name"),
        ({"config": dict}, "config is the class dict: give a subclass of DatasetConfig"),
        ({"config": Toys(kind="toys")}, "give a subclass of DatasetConfig"),
        ({"open": "images"}, "open is 'images': give a function"),
        ({"open_official": 3}, "open_official is 3: give a function, or None"),
        ({"download": 3}, "download is 3: give a function, or None"),
    ],
)
def test_a_record_that_cannot_be_meant_is_refused(fields, message):
    with pytest.raises(UsageError, match=message):
        DatasetKind(**{"config": Toys, "open": no_images} | fields)


def test_what_the_shipped_kinds_answer():
    kinds = dataset_kinds()
    assert {name for name, kind in kinds.items() if kind.has_official} == {
        "cifar", "image_folder", "imagenet", "tiny_imagenet",
    }  # fmt: skip
    assert {name for name, kind in kinds.items() if kind.fixed_size} == {"cifar", "digits", "mnist"}
    published = {name for kind in kinds.values() for name in kind.published}
    assert published == {
        *("digits", "cifar10", "cifar100", "mnist", "fashion_mnist"),
        *("imagenet", "tiny_imagenet", "places365"),
    }
    assert all(kind.config.__doc__ != DatasetConfig.__doc__ for kind in kinds.values()), "each says what it is"
