"""Faster evaluation of a trained network, with the same outputs to float32 rounding."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lst_robust.models.lst.blocks import LSTI, LSTII, LSTBlock
from lst_robust.models.lst.folded import InferenceChain, InferenceHandler, InferenceLSTI, InferenceLSTII, blocks_of
from lst_robust.models.lst.form import can_fold, has_hooks

OURS = f"{__package__}."
IMAGES_A_THREAD = (
    16  # of an LST-Net in torch on a CPU: wide activations then stay in caches and in memory already mapped
)


def images_a_thread(network: nn.Module) -> int | None:
    """How many images a thread of a CPU should take through the network at a time; None where that does not matter.

    It does not for compiled LST-II bottlenecks, which take one image after the other through all of them.
    """
    chains = [module for module in network.modules() if isinstance(module, InferenceChain) and module.compiled]
    compiled = {block for chain in chains for block in chain.modules()}
    in_torch = (
        module not in compiled and isinstance(module, (LSTBlock, InferenceLSTI, InferenceLSTII))
        for module in network.modules()
    )
    return IMAGES_A_THREAD if any(in_torch) else None


def logits_in_pieces(network: nn.Module, images: Tensor) -> Tensor:
    """What `network` makes of float32 (N, 3, H, W): (N, classes). On a CPU it takes as many images at a time as suit it
    on all of torch's threads."""
    best = images_a_thread(network) if images.device.type == "cpu" else None
    pieces = [images] if best is None else images.split(best * torch.get_num_threads())
    return torch.cat([network(piece) for piece in pieces])


def optimize_for_inference(model: nn.Module) -> nn.Module:
    """A copy of `model` in evaluation mode, channels last, with every BN folded into the convolution before it.

    LST-II bottlenecks run in one fused pass on a CPU where a C++ compiler is found. The copy can't be trained; of
    networks that are not ours only convolutions and BNs that follow each other in an nn.Sequential are folded.
    """
    model = copy.deepcopy(model).eval()
    for parent in list(model.modules()):
        for first, second in _pairs(parent):
            _fold_pair(parent, first, second)
        for name, child in parent.named_children():
            if not can_fold(child):
                continue
            if isinstance(child, LSTII):
                setattr(parent, name, InferenceLSTII(child))
            elif isinstance(child, LSTI):
                setattr(parent, name, InferenceLSTI(child))
    _join_blocks(model)
    for parameter in model.parameters():
        if parameter.is_leaf:  # those of a scripted network's copy are not
            parameter.requires_grad_(False)
    return model.to(memory_format=torch.channels_last)


def _join_blocks(parent: nn.Module) -> None:
    """Lets LST-II bottlenecks that follow each other run as one, and the handler behind them as well."""
    joined = False
    for name, child in parent.named_children():
        if type(child) is nn.Sequential and not has_hooks(child) and blocks_of(child):
            setattr(parent, name, InferenceChain(child))
            joined = True
        elif joined and _is_handler(child):
            setattr(parent, name, InferenceHandler(child))
        else:
            _join_blocks(child)


def _is_handler(module: nn.Module) -> TypeGuard[nn.Sequential]:
    """Whether it is a 1x1 convolution with its BN folded, and ReLU, as the handler of an `LSTNet` is."""
    layers = [type(child) for child in module.children()]
    if type(module) is not nn.Sequential or layers != [nn.Conv2d, nn.Identity, nn.ReLU]:
        return False
    if any(map(has_hooks, module.modules())):
        return False
    convolution = module[0]
    assert isinstance(convolution, nn.Conv2d)
    return convolution.kernel_size == convolution.stride == (1, 1) and convolution.groups == 1


def _pairs(parent: nn.Module) -> list[tuple[str, str]]:
    """Names of the children of `parent` that may be a convolution and the BN applied to its output."""
    if "forward" in vars(parent):
        return []
    if isinstance(parent, nn.Sequential) and type(parent).forward is nn.Sequential.forward:
        return list(pairwise(parent._modules))  # the same layer may stand in several places
    ours = type(parent).__module__.startswith(OURS)  # a subclass of one's own may call the layers in another way
    return list(getattr(parent, "conv_bn_pairs", ())) if ours else []


def _fold_pair(parent: nn.Module, first: str, second: str) -> None:
    convolution, bn = getattr(parent, first), getattr(parent, second)
    if not (_computes_as(convolution, nn.Conv2d) and _computes_as(bn, nn.BatchNorm2d)) or bn.running_mean is None:
        return
    setattr(parent, first, fuse_conv_bn_eval(convolution, bn))
    setattr(parent, second, nn.Identity())


def _computes_as(layer: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether the layer computes what its class says: no subclass (such as timm's BN with an activation), no hook (such
    as pruning's), no weight that is computed anew each time."""
    return (
        type(layer) is kind and not has_hooks(layer) and "forward" not in vars(layer) and "weight" in layer._parameters
    )
