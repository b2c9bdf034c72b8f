"""`timm:NAME`: networks of timm, and `timm:hf_hub:OWNER/NAME` or `timm:local-dir:FOLDER`: weights in timm's format."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import nn

from lst_robust.errors import CheckpointError, UsageError, message_of, unknown_name
from lst_robust.geometry import Geometry
from lst_robust.models.entry import ModelEntry
from lst_robust.models.external.common import (
    not_downloaded,
    on_meta,
    require_pretrained,
    require_size,
    square_geometry,
)
from lst_robust.models.external.hub import (
    Place,
    folder_place,
    not_fetched,
    quiet_hub,
    repository_place,
    require_safetensors,
)

PLACES = ("hf_hub", "hf-hub", "local-dir")  # timm's words for where weights lie


def entry(name: str, model: str) -> ModelEntry:
    """The record of a network of timm; UsageError for a name that it has not, or without the package."""
    _require_timm(name)
    return _placed_entry(name, model) if model.partition(":")[0] in PLACES else _named_entry(name, model)


def geometry(name: str, model: str, weights: str) -> Geometry:
    """What timm states for a name, whatever its weights are called."""
    _require_timm(name)
    if model.partition(":")[0] in PLACES:
        return _geometry(name, _description(name, _place(name, model))[0])
    from timm import get_pretrained_cfg

    entry(name, model)  # which knows the names
    stated = get_pretrained_cfg(model)
    return _geometry(name, stated.to_dict() if stated else {})


def geometry_of(model: nn.Module) -> Geometry | None:
    """What timm states for a network it has built; None for others."""
    stated = _statement(model)
    return None if stated is None else _geometry(type(model).__name__, stated)


def stated_statistics(model: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """The mean and standard deviation that timm states for a network it has built; None for others."""
    stated = _statement(model)
    if stated is None:
        return None
    data = _data(stated)
    return tuple(data["mean"]), tuple(data["std"])


def geometry_of_data(name: str, data: Mapping[str, Any]) -> Geometry:
    """The geometry in what `timm.data.resolve_data_config` has made."""
    _, height, width = data["input_size"]
    resize = math.floor(height / data["crop_pct"])
    return square_geometry(name, (height, width), resize, data["interpolation"], data["crop_mode"])


def _require_timm(name: str) -> None:
    try:
        import timm  # noqa: F401
    except ImportError:
        raise UsageError(f"{name} needs the package timm: pip install 'lst-robust[timm]'") from None


def _data(stated: Mapping[str, Any]) -> dict[str, Any]:
    from timm.data import resolve_data_config

    return resolve_data_config(pretrained_cfg=dict(stated))


def _statement(model: nn.Module) -> Mapping[str, Any] | None:
    stated = getattr(model, "pretrained_cfg", None)
    stated = stated if isinstance(stated, Mapping) or stated is None else getattr(stated, "to_dict", dict)()
    return stated if stated and "input_size" in stated else None


def _geometry(name: str, stated: Mapping[str, Any]) -> Geometry:
    return geometry_of_data(name, _data(stated))


def _named_entry(name: str, model: str) -> ModelEntry:
    import timm

    if not timm.is_model(model):
        raise unknown_name("timm model", model, timm.list_models())
    stated = timm.get_pretrained_cfg(model)
    data = _data(stated.to_dict() if stated else {})

    def build(num_classes: int, image_size: int, weights: str) -> nn.Module:
        if weights not in ("", "pretrained"):
            raise UsageError(f"option 'weights' of {name} is {weights!r}: timm knows pretrained, or leave it empty")
        sized: dict[str, Any] = {"img_size": image_size} if stated and stated.fixed_input_size else {}
        try:
            with quiet_hub():
                built = timm.create_model(model, pretrained=bool(weights), num_classes=num_classes, **sized)
        except OSError as error:
            raise not_downloaded(name, error) from error
        require_size(built, name, image_size)
        return built

    return ModelEntry(
        name=name,
        family="timm",
        factory=build,
        num_classes=stated.num_classes if stated else 1000,
        source=f"timm {timm.__version__}, {model}",
        options={"weights": ""},
        **_preprocessing(data),
    )


def _placed_entry(name: str, model: str) -> ModelEntry:
    """The record of weights in timm's format, in a repository or a folder."""
    import timm

    place = _place(name, model)
    stated, architecture = _description(name, place)
    classes, labels = stated.get("num_classes", 1000), stated.get("label_names")

    def build(num_classes: int, image_size: int, weights: str) -> nn.Module:
        require_pretrained(name, weights)
        if num_classes != classes:
            raise UsageError(f"{name} has {classes} outputs, not {num_classes}: leave num_classes out")
        sized: dict[str, Any] = {"img_size": image_size} if stated.get("fixed_input_size") else {}
        loaded = not on_meta()
        if loaded:
            require_safetensors(name, place)
        try:
            with quiet_hub():
                built = timm.create_model(model, pretrained=loaded, num_classes=num_classes, **sized)
        except OSError as error:
            raise not_fetched(name, place, error) from error
        except (RuntimeError, AttributeError, KeyError, TypeError, ValueError) as error:  # of shapes, names, arguments
            raise CheckpointError(f"{name}: its weights do not fit {architecture} ({message_of(error)})") from error
        require_size(built, name, image_size)
        return built

    return ModelEntry(
        name=name,
        family="timm",
        factory=build,
        num_classes=classes,
        source=f"timm {timm.__version__}, {architecture}, weights of {place.where}",
        options={"weights": "pretrained"},
        own_weights=True,
        labels=tuple(map(str, labels)) if isinstance(labels, (list, tuple)) else None,
        **_preprocessing(_data(stated)),
    )


def _place(name: str, model: str) -> Place:
    kind, _, text = model.partition(":")
    return folder_place(name, text) if kind == "local-dir" else repository_place(name, text)


def _description(name: str, place: Place) -> tuple[dict[str, Any], str]:
    """What the config.json of a place states of its weights, and the name of the structure they are for."""
    import timm
    from timm.models._hub import load_model_config_from_hf, load_model_config_from_path

    at = f"{place.where}@{place.revision}" if place.revision else place.where
    try:
        with quiet_hub():
            stated, architecture, _ = (load_model_config_from_path if place.folder else load_model_config_from_hf)(at)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        hint = f"hf:{place.where}" if place.folder else f"hf:{at}"
        raise UsageError(
            f"{name}: its config.json is not in timm's format ({message_of(error)}): try {hint}"
        ) from error
    except Exception as error:  # of the hub's client, see require_safetensors
        raise not_fetched(name, place, error) from error
    if not timm.is_model(architecture):
        raise unknown_name("timm model", architecture, timm.list_models())
    return stated, architecture


def _preprocessing(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "input_size": data["input_size"][-1],
        "own_pixels": True,
        "mean": tuple(data["mean"]),
        "std": tuple(data["std"]),
        "interpolation": data["interpolation"],
        "crop_pct": data["crop_pct"],
    }
