"""Whether a block has the layers that `blocks.py` gives it, and nobody looks at one of them by a hook.

What computes a block in another way than by calling its layers asks here first. Anything else than the classes
themselves (a subclass, a parametrised layer, a layer that somebody has put there) may compute something else.
"""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import nn
from torch.nn.modules import module as every_module

from lst_robust.models.lst.blocks import LSTI, LSTII, GroupedShortcut
from lst_robust.models.lst.transforms import DiagonalTransform, SoftThreshold, SpatialTransform


def hooks_everywhere() -> bool:
    """Whether something is called before or behind every module's forward or backward."""
    return bool(
        every_module._global_forward_hooks
        or every_module._global_forward_pre_hooks
        or every_module._global_backward_hooks
        or every_module._global_backward_pre_hooks
    )


def has_hooks(module: nn.Module) -> bool:
    """Whether something is called before or behind the module's own forward or backward."""
    return bool(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    )


# What follows is asked of every layer in every step of training, so it reads `_parameters`: attributes take ten times
# as long. A layer of which somebody computes the weight, by pruning for example, has none there.


def in_float32(layer: nn.Module) -> bool:
    """Whether all that the layer itself learns is float32 on the CPU."""
    for parameter in layer._parameters.values():
        if parameter is not None and not (parameter.dtype is torch.float32 and parameter.is_cpu):
            return False
    return True


def is_pointwise(layer: nn.Module | None, inputs: int, outputs: int) -> bool:
    """Whether it is a 1x1 convolution of all channels without bias, as T_r and T_c are."""
    if type(layer) is not nn.Conv2d or layer._parameters.get("bias") is not None:
        return False
    weight = layer._parameters.get("weight")
    fits = weight is not None and weight.shape == (outputs, inputs, 1, 1)
    return fits and layer.stride == (1, 1) and layer.padding == (0, 0)


def is_batch_norm(layer: nn.Module | None, channels: int) -> bool:
    """Whether it is a BN of so many channels with a weight and a bias."""
    if type(layer) is not nn.BatchNorm2d or layer.num_features != channels:
        return False
    return layer._parameters.get("weight") is not None and layer._parameters.get("bias") is not None


def is_spatial(layer: nn.Module | None) -> TypeGuard[SpatialTransform]:
    """Whether it is T_s with its own weight and padding."""
    if type(layer) is not SpatialTransform or (weight := layer._parameters.get("weight")) is None:
        return False
    size = 2 * layer.padding + 1
    return weight.shape == (layer.filters * (1 if layer.shared else layer.channels), 1, size, size)


def is_threshold(layer: nn.Module | None) -> bool:
    """Whether it is ST, or nothing."""
    return type(layer) is SoftThreshold or type(layer) is nn.Identity


def is_shortcut(layer: nn.Module | None, inputs: int, outputs: int, stride: int) -> bool:
    """Whether it is LST-II's D, or nothing where the input is as large as the output."""
    if type(layer) is nn.Identity:
        return stride == 1 and inputs == outputs
    if type(layer) is not GroupedShortcut or (weight := layer._parameters.get("weight")) is None:
        return False
    form = layer.stride == stride and weight.shape == (outputs, 1, 1, 1) and layer.source.shape == (outputs,)
    return form and is_batch_norm(layer.bn, outputs)


def can_fold(block: nn.Module) -> bool:
    """Whether `InferenceLSTII` or `InferenceLSTI` computes what the block does in evaluation mode."""
    if type(block) not in (LSTI, LSTII):
        return False
    assert isinstance(block, (LSTI, LSTII))
    layers = list(block.modules())
    with_statistics = all(bn.running_mean is not None for bn in layers if isinstance(bn, nn.BatchNorm2d))
    if any(map(has_hooks, layers)) or not with_statistics or not is_spatial(block.t_s):
        return False
    inner, outer = block.t_s.channels, block.t_s.channels * block.t_s.filters
    if not (is_batch_norm(block.bn_c, inner) and is_batch_norm(block.bn_s, outer)):
        return False
    t_r, t_c, shortcut = block.t_r, block.t_c, block.shortcut
    if type(t_r) is not nn.Conv2d or type(t_c) not in (nn.Conv2d, DiagonalTransform):
        return False
    if isinstance(block, LSTII):
        mixes = type(t_c) is DiagonalTransform or is_pointwise(t_c, inner, inner)
        head = mixes and is_pointwise(t_r, t_r.in_channels, inner) and is_batch_norm(block.bn_r, inner)
        return head and is_shortcut(shortcut, t_r.in_channels, outer, block.t_s.stride)
    inputs, outputs = t_c.in_channels if isinstance(t_c, nn.Conv2d) else 0, block.out_channels
    parts = is_pointwise(t_c, inputs, inner) and is_pointwise(t_r, outer, outputs)
    same = type(shortcut) is nn.Identity or _is_projection(shortcut, inputs, outputs)
    return parts and is_batch_norm(block.bn_r, outputs) and same


def _is_projection(layer: nn.Module, inputs: int, outputs: int) -> bool:
    """Whether it is a 1x1 convolution without bias, of any stride, and its BN."""
    if type(layer) is not nn.Sequential or [type(part) for part in layer] != [nn.Conv2d, nn.BatchNorm2d]:
        return False
    convolution, bn = layer
    assert isinstance(convolution, nn.Conv2d)
    form = convolution.weight.shape == (outputs, inputs, 1, 1) and convolution.padding == (0, 0)
    return form and convolution.bias is None and is_batch_norm(bn, outputs)
