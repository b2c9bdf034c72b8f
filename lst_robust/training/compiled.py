"""Networks compiled by torch.compile for training."""

from __future__ import annotations

from torch import nn

from lst_robust.runtime.compiler import NOT_COMPILED, compiled_network

CUDA_GRAPHS = ("reduce-overhead", "max-autotune")


def compiled(network: nn.Module, mode: str) -> nn.Module:
    """The network, compiled at its first batch; itself for "no". Weights, and the names of them, stay its own.

    A batch of another size is compiled for its size: an epoch has few sizes, and fixed ones make quicker kernels.
    """
    if mode == NOT_COMPILED:
        return network
    return compiled_network(network, mode)


def keep_gradients(model: nn.Module, mode: str) -> None:
    """To be called after the first part of a batch: its gradients may lie in memory that a CUDA graph writes to when
    the next part goes through."""
    if mode in CUDA_GRAPHS:
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad = parameter.grad.clone()
