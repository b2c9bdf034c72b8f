"""Weights that are no numbers are never saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from lst_robust.errors import NonFiniteError


def require_finite(weights: Mapping[str, torch.Tensor], when: str) -> None:
    """NonFiniteError, which names one of the weights, where parameters or buffers hold NaN or infinity.

    when: for the message, such as "in epoch 3". The loss alone does not tell: it is of the weights before a step, and
    it does not depend on running statistics.
    """
    if name := _not_finite(weights.items()):
        raise NonFiniteError(
            f"the weights {name} became NaN or infinite {when}; lower the recipe's lr (the last good epoch is kept)"
        )


def require_finite_in_half(weights: Mapping[str, torch.Tensor]) -> None:
    """NonFiniteError for finite weights that float16 cannot hold."""
    if name := _not_finite((name, _in_half(value)) for name, value in weights.items()):
        raise NonFiniteError(
            f"the weights {name} are too large for float16: store them without --half (the training is kept), or train "
            "anew and lower the recipe's lr"
        )


def _in_half(value: torch.Tensor) -> torch.Tensor:
    return value.half() if value.is_floating_point() else value


def _not_finite(weights: Iterable[tuple[str, torch.Tensor]]) -> str | None:
    """The name of the first that holds NaN or infinity."""
    for name, value in weights:
        if value.is_floating_point() and not bool(value.isfinite().all()):
            return name
    return None
