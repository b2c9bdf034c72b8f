"""Faster evaluation of a trained network, with the same outputs to float32 rounding."""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lst_robust.models.lst.blocks import LSTI, LSTII, LSTBlock
from lst_robust.models.lst.folded import InferenceLSTI, InferenceLSTII

CHUNK = 16  # images a thread at a time on a CPU: wide activations then stay in caches and in memory already mapped


class ChunkedModel(nn.Module):
    """Runs `model` on `CHUNK` images a thread at a time on a CPU, on the whole batch elsewhere."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        if hasattr(model, "config"):
            self.config = model.config

    def forward(self, images: Tensor) -> Tensor:
        if images.device.type != "cpu":
            return self.model(images)
        return torch.cat([self.model(part) for part in images.split(CHUNK * torch.get_num_threads())])


def optimize_for_inference(model: nn.Module) -> nn.Module:
    """A copy of `model` in evaluation mode, channels last, with every BN folded into the convolution before it.

    LST-II bottlenecks run in one fused pass on a CPU where a C++ compiler is found, and batches of LST-Nets in chunks.
    The copy can't be trained; of networks that are not ours only convolutions and BNs that follow each other in an
    nn.Sequential are folded.
    """
    model = copy.deepcopy(model).eval()
    has_lst = any(isinstance(module, LSTBlock) for module in model.modules())
    for parent in list(model.modules()):
        for first, second in _pairs(parent):
            _fold_pair(parent, first, second)
        for name, child in parent.named_children():
            if isinstance(child, LSTII):
                setattr(parent, name, InferenceLSTII(child))
            elif isinstance(child, LSTI):
                setattr(parent, name, InferenceLSTI(child))
    for parameter in model.parameters():
        if parameter.is_leaf:  # those of a scripted network's copy are not
            parameter.requires_grad_(False)
    model.to(memory_format=torch.channels_last)
    return ChunkedModel(model) if has_lst else model


def _pairs(parent: nn.Module) -> list[tuple[str, str]]:
    """Names of the children of `parent` that are a convolution and the BN applied to its output."""
    if isinstance(parent, nn.Sequential):
        return list(pairwise(name for name, _ in parent.named_children()))
    return list(getattr(parent, "conv_bn_pairs", ()))


def _fold_pair(parent: nn.Module, first: str, second: str) -> None:
    convolution, bn = getattr(parent, first), getattr(parent, second)
    if isinstance(convolution, nn.Conv2d) and isinstance(bn, nn.BatchNorm2d) and bn.running_mean is not None:
        setattr(parent, first, fuse_conv_bn_eval(convolution, bn))
        setattr(parent, second, nn.Identity())
