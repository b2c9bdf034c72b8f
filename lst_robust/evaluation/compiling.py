"""A network that torch.compile has made faster, for the cells of an evaluation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lst_robust.errors import LstRobustError, reason_of
from lst_robust.runtime.devices import not_enough_memory

NOT_COMPILED = "no"
COMPILE_MODES = (NOT_COMPILED, "default", "reduce-overhead", "max-autotune")
"""torch.compile's modes; reduce-overhead records CUDA graphs."""
COMPILERS = ("torch._dynamo", "torch._inductor", "torch._functorch", "triton")
"""Where the errors of compilers come from, and not those of networks."""


class CompiledNetwork:
    """Calls a compiled network with batches of one size, so that nothing is compiled twice: a smaller batch is filled
    up with its first image, and what the network says of that is left out."""

    def __init__(self, network: nn.Module, mode: str) -> None:
        self._compiled = torch.compile(network, mode=mode, dynamic=False)
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
        try:
            answer = self._compiled(batch)
        except Exception as error:  # a compiler's or the network's own
            if not _of_a_compiler(error):
                raise
            if error.__cause__ is not None and not_enough_memory(error.__cause__):
                raise error.__cause__ from None
            raise LstRobustError(
                f"the network cannot be compiled here ({reason_of(error)}): leave out --compile, or install what "
                "torch.compile needs (a C++ compiler on a CPU, Triton on CUDA)"
            ) from error
        return answer[:n] if isinstance(answer, Tensor) and answer.ndim else answer


def _of_a_compiler(error: BaseException) -> bool:
    return any(kind.__module__.startswith(COMPILERS) for kind in type(error).__mro__)
