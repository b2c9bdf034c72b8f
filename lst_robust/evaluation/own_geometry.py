"""Whose geometry the images get: the suite's, for all networks alike, or the one that a network's library states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from lst_robust.data import dataset_kind
from lst_robust.errors import UsageError
from lst_robust.evaluation.model_under_test import Options, unwrapped
from lst_robust.geometry import Geometry
from lst_robust.models.checkpoint import read_metadata
from lst_robust.models.external import stated_geometry
from lst_robust.suites import Suite


def require_stated_geometry(
    model: str | nn.Module, suite: Suite, checkpoint: str | Path | None, options: Options | None
) -> Geometry:
    """The geometry that the network's library states for its weights; UsageError where it states none."""
    geometry = _stated(model, suite, checkpoint, options)
    if geometry is None:
        name = model if isinstance(model, str) else type(model).__name__
        raise UsageError(
            f"{name} states no preprocessing of its own, as weights of torchvision and timm do (--set weights=..., or "
            "--checkpoint with their file): give --preprocess suite"
        )
    return geometry


def note_other_geometry(
    model: str | nn.Module,
    suite: Suite,
    geometry: Geometry,
    checkpoint: str | Path | None,
    options: Options | None,
    note: Callable[[str], None],
) -> None:
    """One line when the suite's geometry is not the one that the network's library states, and could be."""
    if dataset_kind(suite.dataset).fixed_size:
        return
    try:
        own = _stated(model, suite, checkpoint, options)
    except UsageError:  # it states one that cannot be applied here; nobody asked for it
        return
    if own is None or own == geometry or (suite.protocol == "official" and own.size == geometry.size):
        return
    name = model if isinstance(model, str) else type(model).__name__
    note(
        f"{name} states another preprocessing ({own.described()}) than the suite's ({geometry.described()}); all "
        "networks of a suite see the same pixels, unless you give --preprocess model"
    )


def _stated(
    model: str | nn.Module, suite: Suite, checkpoint: str | Path | None, options: Options | None
) -> Geometry | None:
    """None also for weights that were trained by this tool, which saw the suite's images, and for weights to come."""
    if isinstance(model, nn.Module):
        return stated_geometry(unwrapped(model))
    weights = str((suite.model_options if options is None else options).get("weights") or "")
    if checkpoint is not None:
        return None if "format" in read_metadata(checkpoint) else stated_geometry(model, Path(checkpoint).name)
    return stated_geometry(model, weights) if weights else None
