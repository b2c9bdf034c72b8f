"""`torchvision:NAME`: classification models of torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from lst_robust.errors import UsageError, unknown_name
from lst_robust.geometry import Geometry
from lst_robust.models.entry import ModelEntry
from lst_robust.models.external.common import not_downloaded, require_size, square_geometry, standard_output_for_results

SYNONYMS = {"pretrained": "DEFAULT"}  # timm's word for the weights that are torchvision's default


def entry(name: str, model: str) -> ModelEntry:
    """The record of a model of torchvision; UsageError for a name that it has not."""
    from torchvision import models

    known = models.list_models(models)  # classification models only
    if model not in known:
        raise unknown_name("torchvision model", model, known)
    default = models.get_model_weights(model).DEFAULT
    transform = default.transforms()
    [size], [resized] = transform.crop_size, transform.resize_size

    def build(num_classes: int, image_size: int, weights: str) -> nn.Module:
        try:
            with standard_output_for_results():  # torch prints what it downloads
                built = models.get_model(model, weights=weights or None, num_classes=num_classes)
        except OSError as error:
            raise not_downloaded(name, error) from error
        except (ValueError, KeyError) as error:
            known = ", ".join(member.name for member in models.get_model_weights(model))
            raise UsageError(
                f"{name} with weights={weights!r} and {num_classes} classes cannot be ({error}): it has {known} and "
                f"DEFAULT, of {len(default.meta['categories'])} classes"
            ) from error
        require_size(built, name, image_size)
        return built

    return ModelEntry(
        name=name,
        family="torchvision",
        factory=build,
        input_size=size,
        num_classes=len(default.meta["categories"]),
        source=f"torchvision, {model}",
        options={"weights": ""},
        synonyms={"weights": SYNONYMS},
        labels=tuple(default.meta["categories"]),
        own_pixels=True,
        mean=tuple(transform.mean),
        std=tuple(transform.std),
        interpolation=transform.interpolation.value,
        crop_pct=size / resized,
    )


def geometry(name: str, model: str, weights: str) -> Geometry:
    """What torchvision states for one of its weights, by their name or by the name of their file."""
    from torchvision import models

    entry(name, model)  # which knows the names
    known = models.get_model_weights(model)
    weights = SYNONYMS.get(weights, weights)
    if weights in known.__members__ or weights == "DEFAULT":
        return _geometry(name, known[weights] if weights != "DEFAULT" else known.DEFAULT)
    by_file = {_geometry(name, one): one for one in known if Path(one.url).name == weights}
    possible = by_file or {_geometry(name, one): one for one in known}
    if len(possible) > 1:
        raise UsageError(
            f"torchvision states another preprocessing for each of {name}'s weights ({', '.join(known.__members__)}), "
            f"and {weights or 'the checkpoint'} has not the name of one of their files, such as "
            f"{Path(known.DEFAULT.url).name}: rename it, or give --preprocess suite"
        )
    return next(iter(possible))


def _geometry(name: str, weights: Any) -> Geometry:
    transform = weights.transforms()
    [size], [resize] = transform.crop_size, transform.resize_size
    return square_geometry(name, (size, size), resize, transform.interpolation.value, "center")
