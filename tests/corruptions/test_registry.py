"""The entries of the 19, the words of the papers beside them, and what is not there."""

from __future__ import annotations

from importlib import import_module

import pytest

from lst_robust.benchmark import CORRUPTIONS, GROUPS, LABELS, STANDARD_15
from lst_robust.corruptions.base import no_draws
from lst_robust.corruptions.presets import PRESETS
from lst_robust.corruptions.registry import FAMILIES, built_in, constants, corruption_named, corruption_names
from lst_robust.errors import UsageError

pytestmark = pytest.mark.usefixtures("no_plugins")


def test_the_entries_are_those_of_the_frozen_vocabulary():
    assert sum(len(import_module(f"lst_robust.corruptions.{family}").CORRUPTIONS) for family in FAMILIES) == 19
    assert set(built_in()) == set(CORRUPTIONS)
    for name, entry in built_in().items():
        assert entry is corruption_named(name) and entry.name == name
        assert name in GROUPS[entry.group] and entry.label == LABELS[name]


def test_an_entry_is_complete():
    for entry in built_in().values():
        assert set(entry.constants) == set(PRESETS) and entry.kernel is not None
        assert all(len(five) == 5 for five in (*entry.constants.values(), entry.imagecorruptions or range(5)))


@pytest.mark.parametrize("family", FAMILIES)
def test_one_naming_style(family):
    """draw_<name> and apply_<name> stand in the family's module; speckle_noise has the draws of gaussian_noise."""
    module = import_module(f"lst_robust.corruptions.{family}")
    for entry in module.CORRUPTIONS:
        assert entry.apply is vars(module)[f"apply_{entry.name}"]
        drawer = "gaussian_noise" if entry.name == "speckle_noise" else entry.name
        assert entry.draw is vars(module).get(f"draw_{drawer}", no_draws)


def test_which_corruptions_draw_nothing():
    names = {name for name, corruption in built_in().items() if corruption.draw is no_draws}
    assert names == {
        "gaussian_blur",
        "defocus_blur",
        "zoom_blur",
        "brightness",
        "contrast",
        "saturate",
        "pixelate",
        "jpeg_compression",
    }


def test_names_are_in_the_order_of_table_4(darken):
    assert corruption_names() == CORRUPTIONS
    assert corruption_names("all") == CORRUPTIONS and corruption_names("standard") == STANDARD_15
    assert corruption_names("extra") == ("saturate", "spatter", "gaussian_blur", "speckle_noise")
    assert corruption_names("own") == ("darken",)


@pytest.mark.parametrize(
    ("group", "message"), [("nois", "did you mean noise"), ("standrd", "did you mean standard"), ("own", "choose from")]
)
def test_a_group_that_there_is_not(group, message):
    with pytest.raises(UsageError, match=f"unknown corruption group '{group}': {message}"):
        corruption_names(group)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("fogg", 1, "cifar"), "unknown corruption 'fogg': did you mean fog?"),
        (("fog", 0, "cifar"), "severity is 0: give a whole number from 1 to 5"),
        (("fog", 6, "cifar"), "severity is 6: give a whole number from 1 to 5"),
        (("fog", True, "cifar"), "severity is True: give a whole number from 1 to 5"),
        (("fog", 1, "cifer"), "unknown preset 'cifer': did you mean cifar?"),
        (("fog", 1, "cifar", "hendryks"), "unknown style 'hendryks': did you mean hendrycks?"),
        (
            ("fog", 1, "cifar", "imagecorruptions"),
            "style 'imagecorruptions' has constants for preset 'imagenet' only, not 'cifar'",
        ),
    ],
)
def test_what_is_not_there_is_refused_by_its_name(asked, message):
    with pytest.raises(UsageError) as refused:
        constants(*asked)
    assert str(refused.value).startswith(message)
