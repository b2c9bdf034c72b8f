"""What is evaluated: a network with an identity."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn

from lst_robust.data import ImageSource
from lst_robust.errors import CheckpointError, UsageError, some_names
from lst_robust.evaluation.identity.structure import structure_digest, weights_digest
from lst_robust.evaluation.options import MAX_NAME, Options
from lst_robust.evaluation.request import EvalRequest
from lst_robust.models import create_model, fitting_options, model_info, without_image_size
from lst_robust.models.checkpoint import checkpoint_sha256, read_metadata, same_network, trained_here
from lst_robust.models.external import ZeroShotNetwork, fitting_outputs, stated_statistics, with_outputs
from lst_robust.models.external.file import code_digest
from lst_robust.records.record import ModelIdentity
from lst_robust.schema import first_mistake
from lst_robust.suites import PixelStatistics, Suite

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelUnderTest:
    """A network to evaluate, and who it is.

    pixels: how its input is normalised, where that is not as the suite says.
    """

    identity: ModelIdentity
    model: nn.Module
    pixels: PixelStatistics | None = None


def model_under_test(request: EvalRequest, clean: ImageSource) -> ModelUnderTest:
    """The network that is asked for, with its weights: as it was given, of a checkpoint, or of its library.

    clean: the test images, whose classes its outputs must be. Raises CheckpointError where it has no weights.
    """
    model, suite = request.model, request.suite
    own_geometry = clean.geometry if request.preprocess == "model" else None
    if isinstance(model, nn.Module):
        found = from_module(model, request.name, len(clean.classes))
        stated = stated_statistics(unwrapped(model)) if own_geometry else None
        if stated is not None:
            pixels = PixelStatistics.model_validate(dict(zip(("mean", "std"), stated, strict=True)))
            found = found if pixels == suite.pixels else with_statistics(found, pixels)
    elif request.checkpoint is not None:
        found = from_checkpoint(model, request.checkpoint, suite, clean, request.model_options)
    elif request.has_weights:
        found = from_library(model, suite, clean, request.options, request.device)
    else:
        raise CheckpointError(f"{model} has no weights: give a checkpoint")
    return replace(found, identity=found.identity.model_copy(update={"geometry": own_geometry}))


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


def with_statistics(found: ModelUnderTest, pixels: PixelStatistics) -> ModelUnderTest:
    """The same network with its input normalised in another way, which becomes part of its identity."""
    note = _noted(pixels)
    identity = found.identity.model_copy(update={"options": {**found.identity.options, **note}})
    return replace(found, identity=identity, pixels=pixels)


def from_library(
    name: str, suite: Suite, source: ImageSource, options: Options, device: torch.device | None = None
) -> ModelUnderTest:
    """A network with the weights that its name or its option `weights` says, normalised as they need it, whose outputs
    are the data's classes.

    device: where a zero-shot network reads its prompts. Raises UsageError for outputs that are not these classes.
    """
    built: dict[str, Any] = dict(without_image_size(options))
    entry = model_info(name)
    outputs = fitting_outputs(entry, source.classes)
    count = len(source.classes) if outputs.order is None else entry.num_classes
    with device if entry.zero_shot and device is not None else nullcontext():
        model = create_model(name, count, image_size=source.image_size, classes=source.classes, **built)
    weights, prompts = weights_digest(model), {}
    if isinstance(model, ZeroShotNetwork):
        weights, prompts = model.weights_sha256, {"prompts": model.prompts}
    model = with_outputs(model, outputs)
    pixels, note = _own_pixels(name, suite)
    identity = ModelIdentity(
        name=name,
        options=built | prompts | dict(outputs.note) | note,
        checkpoint_sha256=weights,
        structure=structure_digest(model),
        code=code_digest(name),
    )
    return ModelUnderTest(identity, model, pixels)


def from_checkpoint(
    name: str, checkpoint: str | Path, suite: Suite, source: ImageSource, options: Options | None
) -> ModelUnderTest:
    """A network of the registry with the weights of a file.

    A checkpoint of ours knows its own options, and the mean and standard deviation of its training. For other files the
    suite's options are the default, and networks of torchvision and timm get their input as their library says.
    Raises CheckpointError when the file was made for other classes than the data has.
    """
    metadata = read_metadata(checkpoint)
    classes = metadata.get("classes")
    if classes is not None and tuple(classes) != source.classes:
        raise CheckpointError(
            f"{checkpoint}: trained for {len(classes)} classes ({some_names(classes)}), but {source.name} has "
            f"{len(source.classes)} ({some_names(source.classes)}): give the data it was trained for, or another "
            "checkpoint"
        )
    of_suite = {} if same_network(metadata.get("model", ""), name) else fitting_options(name, suite.model_options)
    options = {**of_suite, **without_image_size(options or {})}
    pixels, note = _pixels_of_training(checkpoint, suite) if trained_here(metadata) else _own_pixels(name, suite)
    if pixels is not None and metadata and not trained_here(metadata):
        logger.warning(
            "%s does not say how its training normalised the input: it is done as for weights of %s (%s)",
            checkpoint,
            name,
            pixels.described(),
        )
    sized = {} if "image_size" in metadata else {"image_size": source.image_size}
    chosen: dict[str, Any] = {**sized, **options}
    model = create_model(name, len(source.classes), checkpoint=checkpoint, **chosen)
    identity = ModelIdentity(
        name=name,
        options={**options, **note},
        checkpoint_sha256=checkpoint_sha256(checkpoint),
        train_seed=metadata.get("train_seed"),
        structure=structure_digest(model),
        code=code_digest(name),
    )
    return ModelUnderTest(identity, model, pixels)


def _own_pixels(name: str, suite: Suite) -> tuple[PixelStatistics | None, dict[str, str]]:
    """How a network from elsewhere wants its input, if that is not as the suite says, and what to note of it
    among the options of its identity."""
    entry = model_info(name)
    stated = PixelStatistics(mean=entry.mean, std=entry.std)
    if not entry.own_pixels or stated == suite.pixels:
        return None, {}
    return stated, _noted(stated)


def _pixels_of_training(checkpoint: str | Path, suite: Suite) -> tuple[PixelStatistics | None, dict[str, str]]:
    """As `_own_pixels`, of weights that were trained here: another suite may have other statistics than theirs."""
    stated = read_metadata(checkpoint).get("pixels", suite.pixels)  # earlier releases did not note them
    try:
        pixels = PixelStatistics.model_validate(stated)
    except ValidationError as error:
        raise CheckpointError(
            f"{checkpoint}: its header has no such mean and standard deviation ({first_mistake(error)}): copy it again"
        ) from error
    if pixels == suite.pixels:
        return None, {}
    logger.info("%s: its input is normalised as in its training (%s)", checkpoint, pixels.described())
    return pixels, _noted(pixels)


def _noted(pixels: PixelStatistics) -> dict[str, str]:
    return {key: ", ".join(map(str, value)) for key, value in pixels.model_dump().items()}
