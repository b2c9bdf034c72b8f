"""From a name with a colon to the file of its source, and to what that source states of it."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from lst_robust.errors import UsageError
from lst_robust.geometry import Geometry
from lst_robust.models.entry import ModelEntry
from lst_robust.models.external import file, hf, open_clip, timm, torchvision

SOURCES = {"torchvision": torchvision, "timm": timm, "hf": hf, "open_clip": open_clip}


def external_entry(name: str) -> ModelEntry:
    """The record of another's model, with the preprocessing its library states; UsageError when there is none."""
    source, _, model = name.partition(":")
    if source in SOURCES:
        return SOURCES[source].entry(name, model)
    path, _, function = name.rpartition(":")
    if path.endswith(".py"):
        return file.entry(name, Path(path), function)
    raise UsageError(
        f"unknown model {name!r}: with a colon it must be torchvision:NAME, timm:NAME, hf:OWNER/NAME, hf:FOLDER, "
        "open_clip:MODEL/TAG or path/to/file.py:FUNCTION"
    )


def stated_geometry(model: str | nn.Module, weights: str = "") -> Geometry | None:
    """How the source of a network cuts and scales images for it: for names of a library or a hub, and for networks that
    timm has built. None for all others, which state nothing.

    weights: of torchvision's, their name, or the name of the file that holds them.

    Of timm it is what `timm.data.resolve_model_data_config` gives. Raises UsageError for a geometry that this package
    cannot apply: no square, a border, or a crop that is larger than the image.
    """
    if isinstance(model, nn.Module):
        return timm.geometry_of(model)
    source, _, name = model.partition(":")
    return SOURCES[source].geometry(model, name, weights) if source in SOURCES else None
