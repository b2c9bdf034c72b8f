"""The networks that are looked at: in their plain form, in evaluation mode, with their layers."""

from __future__ import annotations

import copy
import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from lst_robust.errors import UsageError, reason_of
from lst_robust.evaluation.cell_images import CellImages
from lst_robust.evaluation.model_under_test import model_under_test, unwrapped
from lst_robust.evaluation.request import EvalRequest
from lst_robust.features.layers import Layer, chosen_layers, spatial_layers
from lst_robust.models import ModelConfig, create_model
from lst_robust.models.preprocess import Preprocess

logger = logging.getLogger(__name__)
CALIBRATION_IMAGES, CALIBRATION_BATCH = 512, 64


@dataclass(frozen=True)
class Subject:
    """A network to look at. seed: of its training, where that is known; sha256: of its weights; options, structure: see
    `NetworkFeatures`."""

    label: str
    model: str
    seed: int | None
    sha256: str
    trained: bool
    network: nn.Module
    preprocess: Preprocess
    layers: tuple[Layer, ...]
    images: CellImages
    options: Mapping[str, object]
    structure: str

    def on(self, images: CellImages) -> Subject:
        """The same network with other images."""
        return replace(self, images=images)


def subject_of(request: EvalRequest, images: CellImages, words: Sequence[str] | None) -> Subject:
    """The network of a request with its weights, as a copy: nothing is folded and no kernel stands for its modules (the
    compiled ones that a network in its plain form can have work in training only). words: see `chosen_layers`."""
    found = model_under_test(request, images.clean)
    name = found.identity.name
    try:
        network = copy.deepcopy(unwrapped(found.model)).eval().to(request.device)
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        raise UsageError(
            f"{name} cannot be copied to {request.device} ({reason_of(error)}): give it weights, and detach the "
            "tensors that it keeps"
        ) from error
    pixels = found.pixels or request.suite.pixels
    config = getattr(network, "config", None)  # of another's network it may be anything
    built = config.options if isinstance(config, ModelConfig) else {}
    return Subject(
        label=name,
        model=name,
        seed=found.identity.train_seed,
        sha256=found.identity.checkpoint_sha256,
        trained=True,
        network=network,
        preprocess=Preprocess(pixels.mean, pixels.std, request.device),
        layers=tuple(chosen_layers(spatial_layers(network, name), words, name)),
        images=images,
        options={**built, **found.identity.options},
        structure=found.identity.structure or "",
    )


def as_untrained(subject: Subject) -> Subject:
    """The same structure with initial weights, from the seed of the subject's training, or 0.

    Its BNs have the statistics of the clean images, as in the first step of a training: without them each layer's
    output would have a scale of its own. UsageError for a network that is not one by name.
    """
    config = getattr(subject.network, "config", None)
    if not isinstance(config, ModelConfig):
        raise UsageError(
            f"{subject.label} cannot be built untrained: give a network of `lst-robust models` by its name"
        )
    options: dict[str, Any] = {key: value for key, value in config.options.items() if key != "weights"}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(subject.seed or 0)
        network = create_model(config.name, config.num_classes, image_size=config.input_size, **options).eval()
    network.to(next(subject.network.parameters()).device)
    fresh = dict(network.named_modules())
    layers = tuple(replace(layer, module=fresh[layer.name]) for layer in subject.layers)
    made = replace(
        subject, label=f"{subject.label} untrained", trained=False, network=network, layers=layers, sha256="untrained"
    )
    calibrate(made)
    return made


def calibrate(subject: Subject) -> None:
    """Gives all BNs the statistics of (up to 512 of) the subject's clean images; nothing else changes."""
    norms = [module for module in subject.network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches, which are of one size, or nearly
        norm.train()
    clean = subject.images.clean
    count = min(len(clean), CALIBRATION_IMAGES)
    try:
        with torch.inference_mode():
            for indices in np.array_split(np.arange(count), math.ceil(count / CALIBRATION_BATCH)):
                subject.network(subject.preprocess(clean.read(indices)))
    except ValueError as error:  # a map of one pixel of one image has no variance
        raise UsageError(
            f"{subject.label} needs more images, because its BNs take their statistics from them ({reason_of(error)})"
        ) from error
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.eval()
        norm.momentum = momentum


def with_labels(subjects: Sequence[Subject]) -> list[Subject]:
    """Labels that tell the networks apart: the name, then the seed of its training, then its weights' hash. UsageError
    for a network that is there twice."""
    found = list(subjects)
    for suffix in (lambda one: "" if one.seed is None else f"@seed{one.seed}", lambda one: f"@{one.sha256[:6]}"):
        counts = Counter(one.label for one in found)
        found = [replace(one, label=one.label + suffix(one)) if counts[one.label] > 1 else one for one in found]
    for label, count in Counter(one.label for one in found).items():
        if count > 1:
            raise UsageError(f"{label} is named {count} times: name each network once, or give each its checkpoint")
    return found
