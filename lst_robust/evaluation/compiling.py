"""A network that torch.compile has made faster, for the cells of an evaluation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lst_robust.runtime.compiler import compiled_network, compiler_errors


class CompiledNetwork:
    """Calls a compiled network with batches of one size, so that nothing is compiled twice: a smaller batch is filled
    up with its first image, and what the network says of that is left out."""

    def __init__(self, network: nn.Module, mode: str) -> None:
        self._compiled = compiled_network(network, mode)
        self._mode, self._size = mode, 0

    def __call__(self, batch: Tensor, at_once: int) -> Any:
        """batch: float32 (n, 3, H, W), channels last. at_once: the most that a batch may have from now on.

        Raises LstRobustError where the network cannot be compiled.
        """
        n = len(batch)
        self._size = min(max(self._size, n), at_once)
        if n < self._size:
            batch = torch.cat([batch, batch[:1].expand(self._size - n, *batch.shape[1:])])
            batch = batch.contiguous(memory_format=torch.channels_last)
        torch.compiler.cudagraph_mark_step_begin()  # what the last call returned has been used
        with compiler_errors():
            answer = self._compiled(batch)
        return answer[:n] if isinstance(answer, Tensor) and answer.ndim else answer
