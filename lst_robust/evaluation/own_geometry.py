"""Whose geometry the images get: the suite's, for all networks alike, or the one that a network's library states."""

from __future__ import annotations

import logging
from pathlib import Path

from torch import nn

from lst_robust.data import dataset_kind
from lst_robust.errors import UsageError
from lst_robust.evaluation.model_under_test import unwrapped
from lst_robust.evaluation.request import EvalRequest
from lst_robust.geometry import Geometry
from lst_robust.models.checkpoint import read_metadata, trained_here
from lst_robust.models.external import stated_geometry

logger = logging.getLogger(__name__)


def own_geometry(request: EvalRequest) -> Geometry | None:
    """The geometry that the network's library states for its weights, where the request is for that; None where all
    networks get the suite's. UsageError where the library states none."""
    if request.preprocess == "suite":
        return None
    geometry = _stated(request)
    if geometry is None:
        raise UsageError(
            f"{request.label} states no preprocessing of its own, as weights of torchvision and timm do (--set "
            "weights=..., or --checkpoint with their file) and names such as hf:OWNER/NAME: give --preprocess suite"
        )
    return geometry


def note_other_geometry(request: EvalRequest, geometry: Geometry) -> None:
    """One line when the suite's geometry is not the one that the network's library states, and could be."""
    suite = request.suite
    if request.preprocess == "model" or dataset_kind(suite.dataset).fixed_size:
        return
    try:
        own = _stated(request)
    except UsageError:  # it states one that cannot be applied here; nobody asked for it
        return
    if own is None or own == geometry or (suite.keeps_squares and own.size == geometry.size):
        return
    logger.info(
        "%s states another preprocessing (%s) than the suite's (%s); all networks of a suite see the same pixels, "
        "unless you give --preprocess model",
        request.label,
        own.described(),
        geometry.described(),
    )


def _stated(request: EvalRequest) -> Geometry | None:
    """None also for weights that were trained by this tool, which saw the suite's images, and for weights to come."""
    if isinstance(request.model, nn.Module):
        return stated_geometry(unwrapped(request.model))
    if request.checkpoint is not None:
        metadata = read_metadata(request.checkpoint)
        if trained_here(metadata):
            return None
        file = metadata.get("source", Path(request.checkpoint).name)  # a converted file names the one it was made of
        return stated_geometry(request.model, file)
    return stated_geometry(request.model, str(request.options.get("weights", ""))) if request.has_weights else None
