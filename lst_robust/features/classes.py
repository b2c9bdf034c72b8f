"""How many outputs a network has, and what they are called: of image files nobody says which classes they show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lst_robust.errors import UsageError
from lst_robust.evaluation.model_under_test import unwrapped
from lst_robust.evaluation.request import EvalRequest
from lst_robust.models import create_model, fitting_options, model_info
from lst_robust.models.checkpoint import read_checkpoint, read_metadata
from lst_robust.models.formats import adapt_state_dict


def classes_of(request: EvalRequest, image_size: int) -> tuple[str, ...]:
    """Names for the outputs of a request's network, in their order: those of its checkpoint or library, else numbers.

    Where a checkpoint does not say how many there are, its weights do: the network is then built to see which are those
    of the outputs. image_size: of its input. Raises CheckpointError for a file that cannot be read.
    """
    model = request.model
    if isinstance(model, nn.Module):
        return _numbers(getattr(getattr(unwrapped(model), "config", None), "num_classes", 1))
    if request.checkpoint is None:
        entry = model_info(model)
        return entry.labels or _numbers(entry.num_classes)
    metadata = read_metadata(request.checkpoint)
    if metadata:
        return tuple(metadata.get("classes") or _numbers(metadata["num_classes"]))
    options = request.model_options
    if options is None:
        options = fitting_options(model, request.suite.model_options)
    return _numbers(outputs_in(request.checkpoint, model, {"image_size": image_size, **options}))


def outputs_in(checkpoint: Path, name: str, options: Mapping[str, Any]) -> int:
    """How many outputs the weights in a file are for. Where they do not tell, that which the network has by default,
    so that loading them says what does not fit."""
    default = model_info(name).num_classes
    state, _ = read_checkpoint(checkpoint)
    try:
        network = create_model(name, default, **options)
    except UsageError:  # somebody's own code may build one number of outputs only
        return _only_buildable(state, name, options) or default
    try:
        state = adapt_state_dict(network, state)
    except (RuntimeError, IndexError, ValueError):  # weights of another network
        return default
    found = {
        value.shape[0]
        for key, own in network.state_dict().items()
        if (value := state.get(key)) is not None
        and value.ndim == own.ndim > 0
        and own.shape[0] == default != value.shape[0]
        and value.shape[1:] == own.shape[1:]
    }
    return found.pop() if len(found) == 1 else default


def _only_buildable(state: Mapping[str, Tensor], name: str, options: Mapping[str, Any]) -> int | None:
    """The number of outputs of one of the linear layers, where the network can be built with no other of them."""
    found = []
    for outputs in sorted({value.shape[0] for value in state.values() if value.ndim == 2}):
        try:
            create_model(name, outputs, **options)
        except UsageError:
            continue
        found.append(outputs)
    return found[0] if len(found) == 1 else None


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))
