"""Other people's models by name: `torchvision:resnet50`, `timm:efficientnet_lite0`, `path/to/file.py:function`.

The first two take the option `weights`: empty for random weights (the default), otherwise what the library calls them
("DEFAULT" or "IMAGENET1K_V2" for torchvision, "pretrained" for timm), which it may download. The third runs the
file's code: only name a file you trust. Its function is called as `function(num_classes=..., image_size=...,
**options)` and returns an nn.Module that takes normalised float32 (N, 3, H, W) and gives logits (N, num_classes).
"""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, get_args

import torch
from torch import nn

from lst_robust.errors import CheckpointError, UsageError, unknown_name
from lst_robust.geometry import Geometry, Interpolation
from lst_robust.models.entry import ModelEntry

ON_META = "meta"  # torch's device of tensors without values


def external_entry(name: str) -> ModelEntry:
    """The record of another's model, with the preprocessing its library states; UsageError when there is none."""
    library, _, model = name.rpartition(":")
    if library == "torchvision":
        return _torchvision_entry(name, model)
    if library == "timm":
        return _timm_entry(name, model)
    if library.endswith(".py"):
        return _file_entry(name, Path(library), model)
    raise UsageError(
        f"unknown model {name!r}: with a colon it must be torchvision:NAME, timm:NAME or path/to/file.py:FUNCTION"
    )


def stated_geometry(model: str | nn.Module, weights: str = "") -> Geometry | None:
    """How the library of a network cuts and scales images for it: for names of torchvision and timm, and for networks
    that timm has built. None for all others, which state nothing.

    weights: of torchvision's, their name, or the name of the file that holds them.

    Of timm it is what `timm.data.resolve_model_data_config` gives. Raises UsageError for a geometry that this package
    cannot apply: no square, a border, or a crop that is larger than the image.
    """
    if isinstance(model, nn.Module):
        stated = _timm_statement(model)
        return None if stated is None else _timm_geometry(type(model).__name__, stated)
    library, _, name = model.rpartition(":")
    entry = external_entry(model) if library in ("torchvision", "timm") else None
    if entry is None:
        return None
    if library == "timm":
        from timm import get_pretrained_cfg

        cfg = get_pretrained_cfg(name)
        return _timm_geometry(model, cfg.to_dict() if cfg else {})
    from torchvision import models

    known = models.get_model_weights(name)
    if weights in known.__members__ or weights == "DEFAULT":
        return _torchvision_geometry(model, known[weights] if weights != "DEFAULT" else known.DEFAULT)
    by_file = {_torchvision_geometry(model, one): one for one in known if Path(one.url).name == weights}
    possible = by_file or {_torchvision_geometry(model, one): one for one in known}
    if len(possible) > 1:
        raise UsageError(
            f"torchvision states another preprocessing for each of {model}'s weights ({', '.join(known.__members__)}), "
            f"and {weights or 'the checkpoint'} has not the name of one of their files, such as "
            f"{Path(known.DEFAULT.url).name}: rename it, or give --preprocess suite"
        )
    return next(iter(possible))


def _torchvision_geometry(model: str, weights: Any) -> Geometry:
    transform = weights.transforms()
    [size], [resize] = transform.crop_size, transform.resize_size
    return _geometry(model, (size, size), resize, transform.interpolation.value, "center")


def stated_statistics(model: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """The mean and standard deviation that timm states for a network it has built; None for others."""
    stated = _timm_statement(model)
    if stated is None:
        return None
    from timm.data import resolve_data_config

    data = resolve_data_config(pretrained_cfg=dict(stated))
    return tuple(data["mean"]), tuple(data["std"])


def _timm_statement(model: nn.Module) -> Mapping[str, Any] | None:
    stated = getattr(model, "pretrained_cfg", None)
    stated = stated if isinstance(stated, Mapping) or stated is None else getattr(stated, "to_dict", dict)()
    return stated if stated and "input_size" in stated else None


def _timm_geometry(name: str, stated: Mapping[str, Any]) -> Geometry:
    from timm.data import resolve_data_config

    data = resolve_data_config(pretrained_cfg=dict(stated))
    _, height, width = data["input_size"]
    resize = math.floor(height / data["crop_pct"])
    return _geometry(name, (height, width), resize, data["interpolation"], data["crop_mode"])


def _geometry(name: str, size: tuple[int, int], resize: int, interpolation: str, crop: str) -> Geometry:
    known = interpolation in get_args(Interpolation) and crop in ("center", "squash")
    if size[0] != size[1] or resize < size[0] or not known:
        stated = f"{size[0]} x {size[1]} pixels of {resize}, {interpolation}, crop {crop}"
        raise UsageError(
            f"{name} states a preprocessing that cannot be applied here ({stated}): give --preprocess suite"
        )
    fields = {"size": size[0], "resize": resize, "interpolation": interpolation, "crop": crop}
    return Geometry.model_validate(fields)


def _torchvision_entry(name: str, model: str) -> ModelEntry:
    from torchvision import models

    known = models.list_models(models)  # classification models only
    if model not in known:
        raise unknown_name("torchvision model", model, known)
    default = models.get_model_weights(model).DEFAULT
    transform = default.transforms()
    [size], [resized] = transform.crop_size, transform.resize_size

    def build(num_classes: int, image_size: int, weights: str) -> nn.Module:
        try:
            with redirect_stdout(sys.stderr):  # torch prints what it downloads
                built = models.get_model(model, weights=weights or None, num_classes=num_classes)
        except OSError as error:
            raise _not_downloaded(name, error) from error
        except (ValueError, KeyError) as error:
            known = ", ".join(member.name for member in models.get_model_weights(model))
            raise UsageError(
                f"{name} with weights={weights!r} and {num_classes} classes cannot be ({error}): it has {known} and "
                f"DEFAULT, of {len(default.meta['categories'])} classes"
            ) from error
        return _taking(built, name, image_size)

    return ModelEntry(
        name=name,
        family="torchvision",
        factory=build,
        input_size=size,
        num_classes=len(default.meta["categories"]),
        source=f"torchvision, {model}",
        options={"weights": ""},
        mean=tuple(transform.mean),
        std=tuple(transform.std),
        interpolation=transform.interpolation.value,
        crop_pct=size / resized,
    )


def _timm_entry(name: str, model: str) -> ModelEntry:
    try:
        import timm
        from timm.data import resolve_data_config
    except ImportError:
        raise UsageError(f"{name} needs the package timm: pip install 'lst-robust[timm]'") from None

    if not timm.is_model(model):
        raise unknown_name("timm model", model, timm.list_models())
    stated = timm.get_pretrained_cfg(model)
    data = resolve_data_config(pretrained_cfg=stated.to_dict() if stated else {})

    def build(num_classes: int, image_size: int, weights: str) -> nn.Module:
        if weights not in ("", "pretrained"):
            raise UsageError(f"option 'weights' of {name} is {weights!r}: timm knows pretrained, or leave it empty")
        sized: dict[str, Any] = {"img_size": image_size} if stated and stated.fixed_input_size else {}
        try:
            with redirect_stdout(sys.stderr):
                built = timm.create_model(model, pretrained=bool(weights), num_classes=num_classes, **sized)
        except OSError as error:
            raise _not_downloaded(name, error) from error
        return _taking(built, name, image_size)

    return ModelEntry(
        name=name,
        family="timm",
        factory=build,
        input_size=data["input_size"][-1],
        num_classes=stated.num_classes if stated else 1000,
        source=f"timm {timm.__version__}, {model}",
        options={"weights": ""},
        mean=tuple(data["mean"]),
        std=tuple(data["std"]),
        interpolation=data["interpolation"],
        crop_pct=data["crop_pct"],
    )


def _not_downloaded(name: str, error: OSError) -> CheckpointError:
    reason = " ".join(str(error).split())[:200]
    return CheckpointError(
        f"the weights of {name} cannot be downloaded ({reason}): fetch them where there is a network, or give their "
        "file with --checkpoint"
    )


def _file_entry(name: str, path: Path, function: str) -> ModelEntry:
    if not path.is_file():
        raise UsageError(f"model {name!r}: there is no file {path}")
    return ModelEntry(
        name=name,
        family="file",
        factory=partial(_build_from_file, path, function),
        input_size=224,
        num_classes=1000,
        source=f"code of {path.name}",
        options=None,
    )


def _build_from_file(path: Path, function: str, *, num_classes: int, image_size: int, **options: Any) -> nn.Module:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader  # a .py file always has them
    module = importlib.util.module_from_spec(spec)
    try:
        with redirect_stdout(sys.stderr):  # standard output is for results
            spec.loader.exec_module(module)
            model = getattr(module, function)(num_classes=num_classes, image_size=image_size, **options)
        if not isinstance(model, nn.Module):
            raise UsageError(f"{path}:{function} returned a {type(model).__name__}: it must return an nn.Module")
        found = _output(model, image_size)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:  # the file's own code: anything can happen in it
        reason = " ".join(str(error).split())
        raise UsageError(f"{path}:{function} failed ({type(error).__name__}: {reason}): correct its code") from error
    if found not in (f"(2, {num_classes})", ON_META):
        raise UsageError(
            f"{path}:{function}: its network makes {found} of two images: it must make a tensor (2, {num_classes}) of "
            "logits"
        )
    return model


def _taking(model: nn.Module, name: str, image_size: int) -> nn.Module:
    """The model itself; UsageError when it cannot take images of that size, as some have one size or a smallest."""
    try:
        _output(model, image_size)
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            f"{name} cannot take images of {image_size} pixels ({reason}): choose a suite of another size, or another "
            "model"
        ) from error
    return model


def _output(model: nn.Module, image_size: int) -> str:
    """What a network makes of two black images, in words: its shape, if that is a tensor."""
    images = torch.zeros(2, 3, image_size, image_size)
    if images.device.type == ON_META:  # it is only to be counted
        return ON_META
    training = model.training
    with torch.inference_mode():
        logits = model.eval()(images)
    model.train(training)
    return str(tuple(logits.shape)) if isinstance(logits, torch.Tensor) else f"a {type(logits).__name__}"
