"""Networks compiled by torch.compile, and what is said where that fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from lst_robust.errors import LstRobustError
from lst_robust.runtime.devices import first_line

COMPILER = ("torch._dynamo", "torch._inductor", "triton")  # where the errors of torch's compiler are defined
CUDA_GRAPHS = ("reduce-overhead", "max-autotune")


def compiled(network: nn.Module, mode: str) -> nn.Module:
    """The network, compiled at its first batch; itself for "no". Weights, and the names of them, stay its own.

    A batch of another size is compiled for its size: an epoch has few sizes, and fixed ones make quicker kernels.
    """
    if mode == "no":
        return network
    return torch.compile(network, mode=mode, dynamic=False)  # type: ignore[return-value]


def keep_gradients(model: nn.Module, mode: str) -> None:
    """To be called after the first part of a batch: its gradients may lie in memory that a CUDA graph writes to when
    the next part goes through."""
    if mode in CUDA_GRAPHS:
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad = parameter.grad.clone()


@contextmanager
def compiler_errors() -> Iterator[None]:
    """Turns the errors of torch's compiler into an LstRobustError of one line."""
    try:
        yield
    except Exception as error:
        if not any(kind.__module__.startswith(COMPILER) for kind in type(error).__mro__):
            raise
        raise LstRobustError(
            f"the network cannot be compiled here ({first_line(error)}): install a C++ compiler such as g++, or "
            "use --compile no"
        ) from error
