"""The seam between the definition of LST-II and compiled code that may stand for it.

blocks.py and folded.py define every step in plain torch and ask the registered backend first. It answers None where it
does not stand for the steps, and the plain definition runs. `lst_robust.models.lst.kernels` registers a compiled one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor, nn

if TYPE_CHECKING:
    from lst_robust.models.lst.blocks import LSTII, GroupedShortcut
    from lst_robust.models.lst.folded import InferenceLSTII


class CompiledBlock(Protocol):
    """One or several `InferenceLSTII` with weights as the compiled code wants them."""

    def takes(self, x: Tensor) -> bool:
        """Whether it can work on `x`."""
        ...

    def pack(self, module: Any) -> None:
        """Takes the weights of the module that it stands for as they are now."""
        ...

    def __call__(self, x: Tensor) -> Tensor:
        """The block's output."""
        ...


class Backend:
    """The default: it stands for nothing."""

    def train_blocks(self, blocks: Sequence[LSTII], x: Tensor) -> Tensor | None:
        """The output of blocks one behind the other, as `train_block` gives that of each."""
        return None

    def train_block(self, block: LSTII, x: Tensor) -> Tensor | None:
        """The block's output in training mode, with the gradients and running statistics of the plain definition."""
        return None

    def train_shortcut(self, shortcut: GroupedShortcut, x: Tensor) -> Tensor | None:
        """The same for the shortcut alone."""
        return None

    def compiled_block(self, block: InferenceLSTII) -> CompiledBlock | None:
        """What stands for a block in inference."""
        return None

    def compiled_chain(self, blocks: Sequence[InferenceLSTII]) -> CompiledBlock | None:
        """What stands for blocks, one behind the other, in inference."""
        return None

    def compiled_handler(self, convolution: nn.Conv2d) -> CompiledBlock | None:
        """What stands for a 1x1 convolution with a bias, and ReLU, in inference."""
        return None


_registered: list[Backend] = [Backend()]


def register_backend(backend: Backend) -> None:
    """Ask this backend from now on, in place of the one before."""
    _registered[0] = backend


def backend() -> Backend:
    """The backend that was registered last."""
    return _registered[0]
