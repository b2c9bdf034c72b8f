"""Other people's checkpoints, renamed to our parameter names: nothing is dropped, what does not match stays visible.

- the authors' LST-Nets for CIFAR (LST-II, and their LST-I candidate);
- the CBAM authors' PyTorch release (its names for the attention layers);
- timm's SE-ResNets (its name for the attention layers).
torchvision's names are our own for ResNet, AlexNet, VGG and MobileNetV2.
"""

from __future__ import annotations

import re

from torch import Tensor, nn

from lst_robust.models.lst.blocks import LSTI, LSTII, LSTBlock, authors_order
from lst_robust.models.lst.networks import LSTNet

CBAM_NAMES = (
    (r"\.cbam\.ChannelGate\.mlp\.1\.", ".attention.mlp.0."),
    (r"\.cbam\.ChannelGate\.mlp\.3\.", ".attention.mlp.2."),
    (r"\.cbam\.SpatialGate\.spatial\.conv\.", ".attention.spatial."),
    (r"\.cbam\.SpatialGate\.spatial\.bn\.", ".attention.spatial_bn."),
)
TIMM_SE_NAMES = ((r"\.se\.", ".attention."),)


def adapt_state_dict(model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """`state` with our names (and, for LST-Nets, our order of channels) if it is in one of the known formats.

    Names that are the network's own already are left alone: some networks of timm call a layer `se` themselves.
    """
    if state.keys() == model.state_dict().keys():
        return state
    if isinstance(model, LSTNet) and any(re.search(r"^layer1\.0\.weight\d$", key) for key in state):
        return _from_lst_authors(model, state)
    for names in (CBAM_NAMES, TIMM_SE_NAMES):
        if any(re.search(names[0][0], key) for key in state):
            return {_renamed(key, names): value for key, value in state.items()}
    return state


def _renamed(key: str, names: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in names:
        key = re.sub(pattern, replacement, key)
    return key


def _from_lst_authors(model: LSTNet, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The released code numbers a bottleneck's layers by position and keeps T_s's channels j-major (see transforms)."""
    names = {"conv1": "conv1", "bn1": "bn1", "fc": "fc", "handler.0": "handler.0", "handler.1": "handler.1"}
    wide_outputs: set[str] = set()  # our layers whose output channels are permuted
    wide_inputs: set[str] = set()
    groups = 1
    for s, stage in enumerate(model.stages):
        for b, block in enumerate(stage.children()):
            assert isinstance(block, LSTBlock)
            theirs, ours = f"layer{s + 1}.{b}.", f"stages.{s}.{b}."
            if isinstance(block, LSTII):
                pairs = {"conv1": "t_r", "bn1": "bn_r", "weight2": "t_c", "bn2": "bn_c", "weight3": "t_s"}
                pairs |= {"bn3": "bn_s", "downsample.0": "shortcut", "downsample.1": "shortcut.bn"}
                wide_outputs |= {ours + name for name in ("bn_s", "shortcut", "shortcut.bn")}
                wide_inputs |= {ours + "t_r"} if groups > 1 else set()
            else:
                assert isinstance(block, LSTI)
                pairs = {"weight1": "t_c", "bn1": "bn_c", "weight2": "t_s", "bn2": "bn_s", "conv3": "t_r"}
                pairs |= {"bn3": "bn_r", "downsample.0": "shortcut.0", "downsample.1": "shortcut.1"}
                wide_outputs |= {ours + "bn_s"}
                wide_inputs |= {ours + "t_r"}
            names |= {theirs + key: ours + value for key, value in pairs.items()}
            groups, expansion = block.groups, block.expansion
    if groups > 1:
        wide_inputs.add("handler.0" if isinstance(model.handler, nn.Sequential) else "fc")

    adapted = {}
    for key, value in state.items():
        layer, _, parameter = key.rpartition(".")
        if re.search(r"weight\d$", key):  # T_c and T_s are bare parameters there
            layer, parameter = key, "weight"
        if layer not in names:
            adapted[key] = value
            continue
        layer = names[layer]
        if layer in wide_outputs and value.ndim:
            value = value[authors_order(value.shape[0], expansion)]
        if layer in wide_inputs and parameter == "weight":
            value = value[:, authors_order(value.shape[1], expansion)]
        adapted[f"{layer}.{parameter}"] = value
    return adapted
