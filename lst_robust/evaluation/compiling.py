"""A network that torch.compile has made faster, for the cells of an evaluation."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor, nn

from lst_robust.runtime.compiler import compiled_network, compiler_errors

logger = logging.getLogger(__name__)

WITHOUT_GRAPHS = {"reduce-overhead": "default", "max-autotune": "max-autotune-no-cudagraphs"}
"""torch.compile's modes that record CUDA graphs, and the same without."""
LEAST_SHARE = 8
"""A batch is not compiled for if it has less than the eighth part of the largest one: each smaller size has at most
half of the images of the one before, so that there are four. After eight of them torch would compile no more."""


class CompiledNetwork:
    """Calls a compiled network with batches of one size, so that nothing is compiled twice: a smaller batch is filled
    up with its first image, and what the network says of that is left out. Only where memory runs out there are other
    sizes, four at most; smaller batches go through the network as it is."""

    def __init__(self, network: nn.Module, mode: str) -> None:
        self._network, self._mode = network, mode
        self._compiled = compiled_network(network, mode)
        self._size = self._largest = 0

    def __call__(self, batch: Tensor, at_once: int) -> Any:
        """batch: float32 (n, 3, H, W), channels last. at_once: the most that a batch may have from now on.

        Raises LstRobustError where the network cannot be compiled.
        """
        n = len(batch)
        self._size = min(max(self._size, n), at_once)
        self._largest = max(self._largest, self._size)
        if self._size * LEAST_SHARE < self._largest:
            return self._network(batch)
        if n < self._size:
            batch = torch.cat([batch, batch[:1].expand(self._size - n, *batch.shape[1:])])
            batch = batch.contiguous(memory_format=torch.channels_last)
        torch.compiler.cudagraph_mark_step_begin()  # what the last call returned has been used
        with compiler_errors():
            answer = self._compiled(batch)
        return answer[:n] if isinstance(answer, Tensor) and answer.ndim else answer

    def has_moved(self) -> None:
        """The weights have got other places in memory. CUDA graphs hold the old ones, so the network is compiled anew,
        and without graphs, for it may move again."""
        if self._mode in WITHOUT_GRAPHS:
            logger.info("a network that is moved off its device and back is compiled without CUDA graphs")
            self._mode = WITHOUT_GRAPHS[self._mode]
            self._compiled = compiled_network(self._network, self._mode)
