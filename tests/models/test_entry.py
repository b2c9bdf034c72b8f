"""Facts about networks that others also state."""

from __future__ import annotations

import pytest
import torchvision

from lst_robust.models.entry import IMAGENET, ModelEntry


def test_imagenets_normalisation_and_crop_are_torchvisions() -> None:
    theirs = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    assert (tuple(theirs.mean), tuple(theirs.std)) == (IMAGENET.mean, IMAGENET.std)
    entry = ModelEntry("net", "family", lambda **_: None, 224, 1000, "here")
    assert entry.crop_pct == theirs.crop_size[0] / theirs.resize_size[0]
    assert entry.interpolation == theirs.interpolation.value


def test_an_entry_cannot_be_changed() -> None:
    entry = ModelEntry("net", "family", lambda **_: None, 224, 1000, "here")
    with pytest.raises(AttributeError):
        entry.input_size = 32
