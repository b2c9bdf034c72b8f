"""From a name and options to a network that knows how it was built."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lst_robust.arguments import finite_number, optional, plain, whole_number, wrong
from lst_robust.errors import UsageError
from lst_robust.models.checkpoint import load_checkpoint, read_metadata, same_network
from lst_robust.models.entry import CIFAR100, ModelConfig, ModelEntry
from lst_robust.models.external.common import require_size
from lst_robust.models.registry import model_info, model_names
from lst_robust.models.stems import SMALLEST_IMAGENET_SIZE, STEMS, resolve_stem
from lst_robust.weights import checkpoint_path

logger = logging.getLogger(__name__)
MOST_CLASSES = 1_000_000
LEAST_PIXELS, MOST_PIXELS = 8, 4096  # a side, as in suites


def create_model(
    name: str,
    num_classes: int | None = None,
    checkpoint: str | Path | None = None,
    *,
    classes: Sequence[str] | None = None,
    **options: Any,
) -> nn.Module:
    """Build a network by name; its facts stand in `.config` (a `ModelConfig`).

    Args:
        name: one of `model_names()`, or another's model: `torchvision:NAME`, `timm:NAME`, `hf:OWNER/NAME`,
            `open_clip:MODEL/TAG` (see `lst_robust.models.external`), `FILE.py:FUNCTION` (which runs that file's code).
        num_classes: outputs; default: the checkpoint's, else the network's own (10 on CIFAR, 1000 on ImageNet).
        checkpoint: file to load strictly, see `lst_robust.models.checkpoint`; or `published:NAME`.
        classes: the names of the outputs, in words or ImageNet's wnids, for zero-shot networks; others ignore it.
        options: `image_size` (default: the network's own input size) and the family's options. What a checkpoint
            of ours records counts as the default. Text is turned into the option's type ("2" -> 2).

    Returns:
        A network in training mode, float32 (N, 3, H, W) normalised -> logits (N, num_classes).

    Raises:
        UsageError: unknown name or option, or a value that cannot be meant.
        CheckpointError: the file is missing, unsafe, or does not fit.
    """
    entry = model_info(name)
    num_classes = optional(whole_number, "num_classes", num_classes, least=1, most=MOST_CLASSES)
    checkpoint = optional(checkpoint_path, "checkpoint", checkpoint)
    require_no_checkpoint(name, checkpoint)
    if classes is not None and entry.zero_shot:
        num_classes = len(classes) if num_classes is None else num_classes
    if checkpoint is not None:
        metadata = read_metadata(checkpoint)
        if same_network(metadata.get("model", ""), name):
            num_classes = num_classes if num_classes is not None else metadata.get("num_classes")
            options = {**metadata.get("options", {}), "image_size": metadata.get("image_size"), **options}
    image_size = _as_size(options.pop("image_size", None), entry.input_size)
    outputs = entry.num_classes if num_classes is None else num_classes
    chosen = _complete_options(entry, options)
    if entry.stems:
        chosen["stem"] = resolve_stem(chosen["stem"], entry.stems, image_size)
    told = {"classes": classes} if entry.zero_shot else {}
    model = entry.factory(num_classes=outputs, image_size=image_size, **chosen, **told)
    model.config = _config(entry, outputs, image_size, chosen)  # type: ignore[assignment]
    if checkpoint is not None:
        load_checkpoint(model, checkpoint)
    if image_size < entry.input_size and ":" not in name:  # others are tried by their own factories
        require_size(model, name, image_size)
    return model


def _config(entry: ModelEntry, outputs: int, image_size: int, chosen: dict[str, Any]) -> ModelConfig:
    """What is known of a network that was built with these options."""
    cifar100 = not entry.own_weights and (entry.input_size, outputs) == (CIFAR100.size, CIFAR100.num_classes)
    return ModelConfig(
        name=entry.name,
        family=entry.family,
        input_size=image_size,
        num_classes=outputs,
        mean=CIFAR100.mean if cifar100 else entry.mean,
        std=CIFAR100.std if cifar100 else entry.std,
        interpolation=entry.interpolation,
        crop_pct=entry.crop_pct if image_size >= SMALLEST_IMAGENET_SIZE else 1.0,
        source=entry.source,
        adaptation=STEMS[chosen["stem"]].text if entry.stems else "none: the same layers at every image size",
        options=chosen,
    )


def without_image_size(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """`options` as they are; UsageError for an image size among them, where the suite sets it."""
    if "image_size" in options:
        raise UsageError("image_size is set by the suite: change it in a suite's YAML file, not by a model option")
    return options


def require_options(name: str, options: Mapping[str, Any]) -> None:
    """UsageError for options, over a suite's, that the network has not, or with values that cannot be meant.

    A network of this package is built for that, without memory for its weights.
    """
    entry = model_info(name)
    _complete_options(entry, without_image_size(options))
    if options and ":" not in name:
        with torch.device("meta"):
            create_model(name, **options)


def require_no_checkpoint(name: str, checkpoint: object) -> None:
    """UsageError for a checkpoint of a model whose name means weights already."""
    if checkpoint is not None and model_info(name).own_weights:
        raise wrong(
            "checkpoint",
            checkpoint,
            f"leave it out, for {name} comes with its weights, or name a folder or file in its place (hf:FOLDER, "
            "timm:local-dir:FOLDER, open_clip:MODEL/FILE)",
        )


def canonical_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """`options` as they identify a network: of words that mean the same always one, and nothing of the weights where
    the name says which they are."""
    entry = model_info(name)
    chosen = {key: entry.synonyms.get(key, {}).get(value, value) for key, value in options.items()}
    if entry.own_weights and chosen.get("weights") == (entry.options or {}).get("weights"):
        chosen.pop("weights", None)
    return chosen


def fitting_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `options` that the network has: a suite names options for many networks, and not each has all.

    A warning says which of them no network of this package has.
    """
    known = model_info(name).options or {}
    for option in options:
        if option not in known:
            _warn_if_misspelt(option)
    return {option: value for option, value in options.items() if option in known}


@cache
def _warn_if_misspelt(option: str) -> None:
    """Once. An option that no network of this package has may be of a network in a file of one's own."""
    own = (model_info(name).options or {} for name in model_names())
    known = sorted({"weights", "prompts"}.union(*own))
    if option not in known:
        nearest = difflib.get_close_matches(option, known, n=1)
        hint = f": did you mean {nearest[0]}?" if nearest else ""
        logger.warning("model_options of the suite: no network of this package has an option %r%s", option, hint)


def _as_size(value: object, default: int) -> int:
    if value is None:
        return default
    size = _coerce("image_size", value, default) if isinstance(value, str) else value
    return whole_number("image_size", size, least=LEAST_PIXELS, most=MOST_PIXELS)


def _complete_options(entry: ModelEntry, given: Mapping[str, object]) -> dict[str, Any]:
    """The defaults of `entry` with the given values laid over them, each turned into its default's type."""
    if entry.options is None:
        return dict(given)
    for option in given:
        if option not in entry.options:
            known = ", ".join(["image_size", *entry.options])
            raise UsageError(f"model {entry.name!r} has no option {option!r}: it knows {known}")
    complete = {key: _coerce(key, given.get(key, default), default) for key, default in entry.options.items()}
    return {key: entry.synonyms.get(key, {}).get(value, value) for key, value in complete.items()}


def _coerce(option: str, value: Any, default: Any) -> Any:
    """`value` in the type of the option's default, a text or a number: such a value, or its text ("2" -> 2)."""
    kind, given = type(default), value
    try:
        if kind in (int, float) and isinstance(value, str):
            given = kind(value)
        if kind is int:
            return whole_number(option, given)
        if kind is float:
            return finite_number(option, given)
        if isinstance(given, str):
            return plain(given)
    except ValueError:  # a UsageError is one too
        pass
    raise wrong(f"option {option!r}", value, f"give it a value like {default!r}")
