"""What is asked of `feature_statistics`, checked before any work, and as one evaluation request a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from typing_extensions import TypedDict

from lst_robust.arguments import items, path, wrong
from lst_robust.benchmark import CLEAN_CELL, Cell, checked_corruptions, checked_severities
from lst_robust.errors import UsageError
from lst_robust.evaluation.options import Options
from lst_robust.evaluation.request import EvalRequest
from lst_robust.models.patterns import is_pattern
from lst_robust.runtime.progress import Observer
from lst_robust.suites import Suite

DEFAULT_IMAGES = 200
DEFAULT_CORRUPTIONS = ("gaussian_noise", "defocus_blur", "fog", "jpeg_compression")
DEFAULT_SEVERITIES = (3,)


class FeatureOptions(TypedDict, total=False):
    """Options that mean what they mean in `lst_robust.evaluate`, see `EvalOptions`, with these other defaults.

    corruptions: gaussian_noise, defocus_blur, fog and jpeg_compression; an empty list: clean images only.
    severities: 3. limit: 200 test images. train: False, so that a network without a checkpoint is an error.
    """

    model_options: Options | None
    data_dir: str | Path | None
    corrupted_dir: str | Path | None
    corruptions: Sequence[str] | None
    severities: Sequence[int] | None
    preprocess: Literal["suite", "model"] | None
    subset: str | None
    limit: int | None
    seed: int | None
    batch_size: int | None
    workers: int | None
    device: str | torch.device
    train: bool
    skip_unreadable: bool
    results_dir: str | Path
    observer: Observer | None


def checked_files(images: object) -> list[Path] | None:
    """Image files; None where the suite's are meant."""
    return None if images is None else [path(f"images[{n}]", one) for n, one in enumerate(items("images", images))]


def cells_of(options: Mapping[str, Any]) -> tuple[Cell, ...]:
    """The clean cell, and every corruption at every severity that the options name."""
    severities = options.get("severities")
    severities = DEFAULT_SEVERITIES if severities is None else checked_severities("severities", severities)
    corruptions = options.get("corruptions")
    if corruptions is None:
        corruptions = DEFAULT_CORRUPTIONS
    elif items("corruptions", corruptions, of=str, empty=True):
        corruptions = checked_corruptions("corruptions", corruptions)
    return (CLEAN_CELL, *(Cell(name, severity) for name in corruptions for severity in severities))


def requests_for(
    models: str | nn.Module | Sequence[str | nn.Module],
    suite: str | Path | Suite,
    checkpoints: Sequence[str | Path | None] | None,
    files: Sequence[Path] | None,
    options: Mapping[str, Any],
) -> list[EvalRequest]:
    """A checked request for each network. UsageError for what cannot be meant, before any work."""
    if unknown := sorted(set(options) - set(FeatureOptions.__annotations__)):
        known = ", ".join(FeatureOptions.__annotations__)
        raise TypeError(f"feature_statistics has no option {unknown[0]!r}: it has {known}")
    chosen = [models] if isinstance(models, (str, nn.Module)) else items("models", models, of=str)
    for model in chosen:
        if isinstance(model, str) and (model.startswith("@") or is_pattern(model)):
            raise UsageError(
                f"{model!r} may mean several networks: name each by itself, so that each can have its checkpoint"
            )
    weights = [None] * len(chosen) if checkpoints is None else items("checkpoints", checkpoints, empty=True)
    if len(weights) != len(chosen):
        raise UsageError(
            f"{len(weights)} checkpoints for {len(chosen)} models: give one for each model, in the same order, or none"
        )
    limit = options.get("limit")
    if files is not None and limit is not None:
        raise wrong("limit", limit, "leave it out, for the images are the files that are named")
    cells = cells_of(options)[1:]
    asked = {
        "train": False,
        **options,
        "normaliser": None,
        "engine": "cpu",
        "limit": DEFAULT_IMAGES if limit is None else limit,
        "corruptions": list(dict.fromkeys(cell.corruption for cell in cells)) or None,
        "severities": list(dict.fromkeys(cell.severity for cell in cells)) or None,
    }
    return [
        EvalRequest.of(model, suite, **asked | {"checkpoint": checkpoint})
        for model, checkpoint in zip(chosen, weights, strict=True)
    ]
