"""Patterns of names."""

from __future__ import annotations

import pytest
from torchvision import models

from lst_robust.errors import UsageError
from lst_robust.models import model_names
from lst_robust.models.patterns import is_pattern, matching_names


def test_which_names_are_patterns():
    assert all(map(is_pattern, ("lst*", "timm:resnet?", "torchvision:[ab]*")))
    assert not any(map(is_pattern, ("lst18", "timm:resnet50.a1_in1k", "nets/[old]*/net.py:build")))


def test_names_of_this_package():
    assert matching_names("*") == model_names()
    assert matching_names("resnet1[89]") == ["resnet18"]


def test_names_of_torchvision():
    found = matching_names("torchvision:resnet*")
    assert found == [f"torchvision:{name}" for name in models.list_models(models) if name.startswith("resnet")]
    assert matching_names("torchvision:resnet*", pretrained=True) == found
    assert not any("deeplab" in name or "raft" in name for name in matching_names("torchvision:*"))


def test_names_of_timm_and_their_weights():
    timm = pytest.importorskip("timm")
    all_of_them = matching_names("timm:resnet18*")
    assert "timm:resnet18" in all_of_them and not any("." in name for name in all_of_them)
    with_weights = matching_names("timm:*", pretrained=True)
    assert len(with_weights) < len(matching_names("timm:*")) == len(timm.list_models())
    tagged = matching_names("timm:resnet18.*")
    assert "timm:resnet18.a1_in1k" in tagged and all(name.startswith("timm:resnet18.") for name in tagged)


@pytest.mark.parametrize(
    ("pattern", "advice"),
    [
        ("resnot18*", "did you mean resnet18"),
        ("torchvision:resnot*", "did you mean torchvision:resnet"),
        ("timm:resnot*", "did you mean timm:resnet"),
        ("zzz*", "there are [0-9]+ to choose from, lst20"),
        ("keras:*", "a pattern names networks of this package, or of torchvision: or timm:, and not of 'keras'"),
    ],
)
def test_a_pattern_that_matches_nothing_offers_the_nearest(pattern, advice):
    with pytest.raises(UsageError, match=advice):
        matching_names(pattern)
