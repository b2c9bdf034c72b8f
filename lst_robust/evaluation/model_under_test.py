"""What is evaluated: a network with an identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lst_robust.data import ImageSource
from lst_robust.errors import CheckpointError, DataError, UsageError
from lst_robust.evaluation.identity.structure import code_digest, structure_digest, weights_digest
from lst_robust.models import create_model, fitting_options, model_info, without_image_size
from lst_robust.models.checkpoint import checkpoint_sha256, read_metadata
from lst_robust.records.record import ModelIdentity
from lst_robust.runtime.progress import Observer
from lst_robust.suites import PixelStatistics, Suite
from lst_robust.training.trained import checkpoints_folder, ensure_trained, find_checkpoint, plan_training

Options = Mapping[str, str | int | float | bool]
MAX_NAME = 100  # characters: it names a folder


@dataclass(frozen=True)
class ModelUnderTest:
    """A network to evaluate, and who it is."""

    identity: ModelIdentity
    model: nn.Module
    pixels: PixelStatistics | None = None  # how its input is normalised, where that is not as the suite says


def from_module(model: nn.Module, name: str | None, num_classes: int) -> ModelUnderTest:
    """A network the caller has built; identified by the SHA-256 of its weights and by its structure.

    A network that torch.compile or DataParallel has wrapped is the network inside.
    """
    inside = unwrapped(model)
    config = getattr(inside, "config", None)
    outputs = getattr(config, "num_classes", num_classes)
    if outputs != num_classes:
        raise UsageError(f"the network has {outputs} outputs, the data {num_classes} classes")
    known = getattr(config, "name", None)  # of another's network it may be anything
    known = known if isinstance(known, str) and known.isprintable() and len(known) <= MAX_NAME else None
    identity = ModelIdentity(
        name=name or known or type(inside).__name__,
        checkpoint_sha256=weights_digest(inside),
        structure=structure_digest(inside),
    )
    return ModelUnderTest(identity, model)


def unwrapped(model: nn.Module) -> nn.Module:
    """The network inside of torch.compile's or DataParallel's wrapper, or the network itself."""
    if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        return unwrapped(model.module)
    compiled = getattr(model, "_orig_mod", None)
    return unwrapped(compiled) if isinstance(compiled, nn.Module) else model


def with_statistics(subject: ModelUnderTest, pixels: PixelStatistics) -> ModelUnderTest:
    """The same network with its input normalised in another way, which becomes part of its identity."""
    note = _noted(pixels)
    identity = subject.identity.model_copy(update={"options": {**subject.identity.options, **note}})
    return replace(subject, identity=identity, pixels=pixels)


def from_library(name: str, suite: Suite, source: ImageSource, options: Options) -> ModelUnderTest:
    """A network of torchvision or timm with the weights its option `weights` names, normalised as they need it."""
    built: dict[str, Any] = dict(without_image_size(options))
    model = create_model(name, len(source.classes), image_size=source.image_size, **built)
    pixels, note = _own_pixels(name, suite)
    identity = ModelIdentity(
        name=name,
        options=built | note,
        checkpoint_sha256=weights_digest(model),
        structure=structure_digest(model),
        code=_code(name),
    )
    return ModelUnderTest(identity, model, pixels)


def from_checkpoint(
    name: str, checkpoint: str | Path, suite: Suite, source: ImageSource, options: Options | None
) -> ModelUnderTest:
    """A network of the registry with the weights of a file.

    A checkpoint of ours knows its own options; for other files the suite's are the default, and networks of torchvision
    and timm get their input as their library says. Raises CheckpointError when the file was made for other classes
    than the data has.
    """
    metadata = read_metadata(checkpoint)
    classes = metadata.get("classes")
    if classes is not None and tuple(classes) != source.classes:
        raise CheckpointError(
            f"{checkpoint}: trained for {len(classes)} classes ({_some(classes)}), but {source.name} has "
            f"{len(source.classes)} ({_some(source.classes)}): give the data it was trained for, or another checkpoint"
        )
    if options is not None:
        options = without_image_size(options)
    else:
        options = {} if metadata.get("model") == name else fitting_options(name, suite.model_options)
    pixels, note = (None, {}) if "format" in metadata else _own_pixels(name, suite)
    sized = {} if "image_size" in metadata else {"image_size": source.image_size}
    model = create_model(name, len(source.classes), checkpoint=checkpoint, **sized, **dict(options))
    identity = ModelIdentity(
        name=name,
        options={**options, **note},
        checkpoint_sha256=checkpoint_sha256(checkpoint),
        train_seed=metadata.get("train_seed"),
        structure=structure_digest(model),
        code=_code(name),
    )
    return ModelUnderTest(identity, model, pixels)


def trained_on_demand(
    name: str,
    suite: Suite,
    source: ImageSource,
    options: Options | None,
    *,
    data_dir: str | Path | None,
    results_dir: str | Path,
    train: bool,
    train_seed: int | None,
    skip_unreadable: bool,
    device: torch.device,
    workers: int,
    observer: Observer,
) -> ModelUnderTest:
    """A network of the registry trained by the suite's recipe: an earlier training is used again, else it is trained
    now, unless `train` is False (then CheckpointError says how to get it)."""
    model_info(name)  # an unknown model must not wait for the data
    recipe = suite.training
    if recipe is not None and train_seed is not None:
        recipe = recipe.changed({"seed": train_seed})
    training = plan_training(
        name, suite, options=options, recipe=recipe, data_dir=data_dir, skip_unreadable=skip_unreadable
    )
    if training.source.classes != source.classes:
        raise DataError(
            f"{source.name}: the classes for training ({_some(training.source.classes)}) are not those for testing "
            f"({_some(source.classes)}): the class folders must have the same names in both"
        )
    checkpoint = find_checkpoint(training, checkpoints_folder(results_dir, suite))
    if not checkpoint.is_file():
        if not train:
            raise CheckpointError(
                f"{name} has no checkpoint trained for suite {suite.name!r} in {checkpoint.parent}: give one with "
                f"--checkpoint, or let it be trained with --train"
            )
        observer.note(
            f"{name} has no checkpoint for {suite.name} yet: training it first ({len(training.source)} images, "
            f"{training.recipe.epochs} epochs, once)"
        )
        ensure_trained(training, checkpoint, device=device, workers=workers, observer=observer)
    return from_checkpoint(name, checkpoint, suite, source, options)


def _own_pixels(name: str, suite: Suite) -> tuple[PixelStatistics | None, dict[str, str]]:
    """How a network of torchvision or timm wants its input, if that is not as the suite says, and what to note of it
    among the options of its identity."""
    entry = model_info(name)
    stated = PixelStatistics(mean=entry.mean, std=entry.std)
    if entry.family not in ("torchvision", "timm") or stated == suite.pixels:
        return None, {}
    return stated, _noted(stated)


def _noted(pixels: PixelStatistics) -> dict[str, str]:
    return {key: ", ".join(map(str, value)) for key, value in pixels.model_dump().items()}


def _code(name: str) -> str | None:
    """The digest of the file of a network `path/to/file.py:function`; None for the others."""
    file = name.rpartition(":")[0]
    return code_digest(Path(file)) if file.endswith(".py") else None


def _some(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
