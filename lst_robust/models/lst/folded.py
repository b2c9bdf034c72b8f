"""LST bottlenecks for inference: BN folded into the convolutions.

Each class takes a trained bottleneck and computes the same function in evaluation mode, to float32 rounding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lst_robust.models.lst.backend import CompiledBlock, backend
from lst_robust.models.lst.blocks import LSTI, LSTII, GroupedShortcut
from lst_robust.models.lst.form import has_hooks
from lst_robust.models.lst.transforms import DiagonalTransform, SpatialTransform


def bn_scale_and_shift(bn: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """The affine map, (C,) each, that `bn` is in evaluation mode."""
    assert bn.running_mean is not None
    assert bn.running_var is not None
    scale = bn.weight / (bn.running_var + bn.eps).sqrt()
    return scale.detach(), (bn.bias - bn.running_mean * scale).detach()


def fold(weight: Tensor, bn: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """A convolution's weight (without bias) with BN in it, and its new bias."""
    scale, shift = bn_scale_and_shift(bn)
    return (weight.detach() * scale[:, None, None, None]).contiguous(), shift


class FoldedSpatial(nn.Module):
    """T_s and its BN: each channel has its own filters now, (a²·c, 1, s, s), k-major."""

    def __init__(self, t_s: SpatialTransform, bn: nn.BatchNorm2d) -> None:
        super().__init__()
        self.channels, self.stride, self.padding, self.filters = t_s.channels, t_s.stride, t_s.padding, t_s.filters
        weight, bias = fold(torch.cat(t_s.channel_weights()), bn)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    weight: Tensor
    bias: Tensor

    def forward(self, z: Tensor) -> Tensor:
        parts = zip(self.weight.chunk(self.filters), self.bias.chunk(self.filters), strict=True)
        return torch.cat([F.conv2d(z, w, b, self.stride, self.padding, groups=self.channels) for w, b in parts], 1)


class FoldedPointwise(nn.Module):
    """A 1x1 (or diagonal) convolution with its BN in it."""

    def __init__(self, convolution: nn.Module, bn: nn.BatchNorm2d, stride: int = 1) -> None:
        super().__init__()
        weight: Tensor = convolution.weight  # type: ignore[assignment]
        folded, bias = fold(weight, bn)
        self.groups = weight.shape[0] if isinstance(convolution, (DiagonalTransform, GroupedShortcut)) else 1
        self.stride = stride
        self.register_buffer("weight", folded)
        self.register_buffer("bias", bias)

    weight: Tensor
    bias: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, self.stride, groups=self.groups)


class FoldedShortcut(nn.Module):
    """`GroupedShortcut` with its BN in it: a choice of channels, scaled and shifted."""

    source: Tensor
    scale: Tensor
    shift: Tensor

    def __init__(self, shortcut: GroupedShortcut) -> None:
        super().__init__()
        self.stride = shortcut.stride
        scale, shift = fold(shortcut.weight, shortcut.bn)
        self.register_buffer("source", shortcut.source.int())
        self.register_buffer("scale", scale[:, 0])
        self.register_buffer("shift", shift[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        chosen = x[:, :, :: self.stride, :: self.stride].index_select(1, self.source)
        return torch.addcmul(self.shift, chosen, self.scale)


class MayBeCompiled(nn.Module, ABC):
    """A module for which a compiled backend may stand, with weights of its own that it packs from the module's.

    They are packed again by `load_state_dict` of the module or of anything around it. A copy or an unpickled module
    asks the backend anew: it may be in another process, or on another processor.
    """

    compiled: CompiledBlock | None

    @abstractmethod
    def _compiled(self) -> CompiledBlock | None:
        """What the backend has for the module now."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "compiled": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.compiled = self._compiled()


class InferenceLSTII(MayBeCompiled):
    """`LSTII` for inference. A compiled backend may stand for it."""

    def __init__(self, block: LSTII) -> None:
        super().__init__()
        self.t_r = FoldedPointwise(block.t_r, block.bn_r)
        self.t_c = FoldedPointwise(block.t_c, block.bn_c)
        self.t_s = FoldedSpatial(block.t_s, block.bn_s)
        self.relu, self.threshold = block.relu, block.threshold
        self.shortcut = FoldedShortcut(block.shortcut) if isinstance(block.shortcut, GroupedShortcut) else None
        self.compiled = self._compiled()
        self.register_load_state_dict_post_hook(_pack_block)

    def _compiled(self) -> CompiledBlock | None:
        return backend().compiled_block(self)

    def forward(self, x: Tensor) -> Tensor:
        if self.compiled is not None and self.compiled.takes(x):
            return self.compiled(x)
        z = self.threshold(self.t_c(self.relu(self.t_r(x))))
        return self.threshold(self.t_s(z) + (x if self.shortcut is None else self.shortcut(x)))


def _pack_block(block: nn.Module, _: object) -> None:
    """Where the weights of a block were loaded: they are packed anew."""
    assert isinstance(block, InferenceLSTII)
    if block.compiled is not None:
        block.compiled.pack(block)


class InferenceChain(MayBeCompiled, nn.Sequential):
    """An nn.Sequential of `InferenceLSTII`, or of such ones. A compiled backend may stand for all of it.

    Hooks of the blocks and layers in it are not called then.
    """

    def __init__(self, chain: nn.Sequential) -> None:
        super().__init__()
        for name, child in chain.named_children():
            self.add_module(name, child)
        self.compiled = self._compiled()

    def _compiled(self) -> CompiledBlock | None:
        return backend().compiled_chain(blocks_of(self))

    def forward(self, x: Tensor) -> Tensor:
        if self.compiled is not None and self.compiled.takes(x):
            return self.compiled(x)
        out: Tensor = super().forward(x)
        return out


class InferenceHandler(MayBeCompiled, nn.Sequential):
    """A 1x1 convolution with BN in it, and ReLU. A compiled backend may stand for both."""

    def __init__(self, handler: nn.Sequential) -> None:
        super().__init__()
        for name, layer in handler.named_children():
            self.add_module(name, layer)
        self.compiled = self._compiled()
        self.register_load_state_dict_post_hook(_pack_handler)

    def _compiled(self) -> CompiledBlock | None:
        convolution = self[0]
        assert isinstance(convolution, nn.Conv2d)
        return backend().compiled_handler(convolution)

    def forward(self, x: Tensor) -> Tensor:
        if self.compiled is not None and self.compiled.takes(x):
            return self.compiled(x)
        out: Tensor = super().forward(x)
        return out


def _pack_handler(handler: nn.Module, _: object) -> None:
    """As `_pack_block`."""
    assert isinstance(handler, InferenceHandler)
    if handler.compiled is not None:
        handler.compiled.pack(handler[0])


def blocks_of(chain: nn.Sequential) -> list[InferenceLSTII]:
    """The blocks in the order in which they are called. An empty list where there is anything else among them."""
    blocks = []
    for child in chain:
        found = [child] if isinstance(child, InferenceLSTII) else []
        if type(child) is nn.Sequential and not has_hooks(child):
            found = blocks_of(child)
        if not found:
            return []
        blocks += found
    return blocks


class InferenceLSTI(nn.Module):
    """`LSTI` for inference."""

    def __init__(self, block: LSTI) -> None:
        super().__init__()
        self.t_c = FoldedPointwise(block.t_c, block.bn_c)
        self.t_s = FoldedSpatial(block.t_s, block.bn_s)
        self.t_r = FoldedPointwise(block.t_r, block.bn_r)
        self.relu, self.threshold = block.relu, block.threshold
        self.shortcut: nn.Module = nn.Identity()
        if isinstance(block.shortcut, nn.Sequential):
            convolution, bn = block.shortcut
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(bn, nn.BatchNorm2d)
            self.shortcut = FoldedPointwise(convolution, bn, convolution.stride[0])

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.t_s(self.threshold(self.t_c(x))))
        return self.threshold(self.t_r(y) + self.shortcut(x))
