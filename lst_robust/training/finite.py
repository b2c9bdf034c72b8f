"""Weights that are no numbers are never saved."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch

from lst_robust.errors import NonFiniteError


def not_finite(weights: Mapping[str, torch.Tensor]) -> frozenset[str]:
    """The names of weights that hold NaN or infinity. Some networks have such buffers before training, such as masks
    and limits, and keep them."""
    floats = {name: value for name, value in weights.items() if value.is_floating_point()}
    return frozenset(name for name, value in floats.items() if not bool(value.isfinite().all()))


def require_finite(weights: Mapping[str, torch.Tensor], epoch: int, constant: Collection[str] = ()) -> None:
    """NonFiniteError, which names one of the weights, where parameters or buffers hold NaN or infinity.

    epoch: for the message, counted from 1. constant: names of weights that may, see `not_finite`. The loss alone does
    not tell: it is of the weights before a step, and it does not depend on running statistics.
    """
    for name in sorted(not_finite(weights).difference(constant)):
        raise NonFiniteError(
            f"the weights {name} became NaN or infinite in epoch {epoch}; lower the recipe's lr and start anew with "
            "lst-robust train --no-resume"
        )


def require_finite_in_half(weights: Mapping[str, torch.Tensor]) -> None:
    """NonFiniteError for finite weights that float16 cannot hold."""
    in_half = {name: value.half() for name, value in weights.items() if value.is_floating_point()}
    for name in sorted(not_finite(in_half) - not_finite(weights)):
        raise NonFiniteError(
            f"the weights {name} are too large for float16: store them without --half (the training is kept), or train "
            "anew and lower the recipe's lr"
        )
