"""Weights that are no numbers are never saved."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import torch

from lst_robust.errors import NonFiniteError


def not_finite(weights: Mapping[str, torch.Tensor]) -> frozenset[str]:
    """The names of weights that hold NaN or infinity. Some networks have such buffers before training, such as masks
    and limits, and keep them."""
    return frozenset(_not_finite(weights.items()))


def require_finite(weights: Mapping[str, torch.Tensor], when: str, constant: Collection[str] = ()) -> None:
    """NonFiniteError, which names one of the weights, where parameters or buffers hold NaN or infinity.

    when: for the message, such as "in epoch 3". constant: names of weights that may, see `not_finite`. The loss alone
    does not tell: it is of the weights before a step, and it does not depend on running statistics.
    """
    if name := next((name for name in _not_finite(weights.items()) if name not in constant), None):
        raise NonFiniteError(
            f"the weights {name} became NaN or infinite {when}; lower the recipe's lr and start anew with --no-resume"
        )


def require_finite_in_half(weights: Mapping[str, torch.Tensor], constant: Collection[str] = ()) -> None:
    """NonFiniteError for finite weights that float16 cannot hold. constant: as for `require_finite`."""
    in_half = ((name, _in_half(value)) for name, value in weights.items() if name not in constant)
    if name := next(_not_finite(in_half), None):
        raise NonFiniteError(
            f"the weights {name} are too large for float16: store them without --half (the training is kept), or train "
            "anew and lower the recipe's lr"
        )


def _in_half(value: torch.Tensor) -> torch.Tensor:
    return value.half() if value.is_floating_point() else value


def _not_finite(weights: Iterable[tuple[str, torch.Tensor]]) -> Iterator[str]:
    for name, value in weights:
        if value.is_floating_point() and not bool(value.isfinite().all()):
            yield name
