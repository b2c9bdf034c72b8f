"""Where to look: the layers of a network whose features are measured, and the hooks that hand them over.

In an LST-Net these are the spatial transforms T_s, one a block. In every other network they are the convolutions whose
kernel is larger than 1 x 1: in a basic block of a ResNet both 3x3 convolutions, in a bottleneck the one in its middle.
A convolution that reads the image itself (the stem) is left out where there are others, and so is one that puts out a
single map (the spatial attention of CBAM). LST-20 and ResNet-20 then have 18 layers each, six of each size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lst_robust.errors import UsageError
from lst_robust.models.lst.transforms import SpatialTransform

STEPS = ("input", "output", "bn")
"""Which features of a layer are meant: what it takes, what it puts out (the paper's Figure 2: "after the T_s
transform"), or what the BN behind it makes of that. In timm a BN may have the activation in it: then that one's output
is meant."""
IMAGE_CHANNELS = 3
Receive = Callable[[str, Tensor], None]


@dataclass(frozen=True)
class Layer:
    """A layer to look at. bands: the number of its k-major bands, a², where it is a T_s, else 0."""

    name: str
    module: nn.Module
    bands: int


def spatial_layers(network: nn.Module, label: str) -> list[Layer]:
    """The layers of a network in its plain form, as they stand in it. UsageError where it has none."""
    modules = list(network.named_modules())
    found = [Layer(name, one, one.filters) for name, one in modules if isinstance(one, SpatialTransform)]
    if found:
        return found
    convolutions = [
        Layer(name, one, 0)
        for name, one in modules
        if isinstance(one, nn.Conv2d) and max(one.kernel_size) > 1 and one.out_channels > 1
    ]
    inside = [layer for layer in convolutions if layer.module.in_channels != IMAGE_CHANNELS]
    if not convolutions:
        raise UsageError(f"{label} has no convolution larger than 1x1 that could be looked at: name another network")
    return inside or convolutions


def chosen_layers(layers: Sequence[Layer], words: Sequence[str] | None, label: str) -> list[Layer]:
    """Those that are meant by numbers, from 1, or by names or patterns of names; None means all.

    UsageError where nothing of a network is meant.
    """
    if words is None:
        return list(layers)
    chosen = [layer for number, layer in enumerate(layers, 1) if any(_means(word, number, layer) for word in words)]
    if not chosen:
        names = [layer.name for layer in layers]
        known = ", ".join(names if len(names) < 4 else [*names[:2], "...", names[-1]])
        raise UsageError(
            f"no layer of {label} is meant by {', '.join(words)}: give numbers from 1 to {len(layers)}, or names and "
            f"patterns ({known})"
        )
    return chosen


def _means(word: str, number: int, layer: Layer) -> bool:
    return word == str(number) or fnmatchcase(layer.name, word)


@contextmanager
def watched(network: nn.Module, layers: Sequence[Layer], step: str, receive: Receive) -> Iterator[None]:
    """Within it each pass through the network hands the features of the layers to `receive`, by the layers' names.

    They come in the order of the computation. A layer that a pass uses again hands over the first ones only. All hooks
    are removed in the end, whatever happens.
    """
    watch = _Watch(step, receive)
    handles = [network.register_forward_pre_hook(watch.begin)]
    try:
        for layer in layers:
            handles.append(layer.module.register_forward_hook(watch.of(layer.name)))
        if step == "bn":
            norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
            handles += [module.register_forward_hook(watch.normalised) for module in norms]
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Watch:
    """The hooks of one network. Which BN stands behind a layer is known by the tensor that both share."""

    def __init__(self, step: str, receive: Receive) -> None:
        self._step, self._receive = step, receive
        self._seen: set[str] = set()
        self._outputs: dict[int, tuple[str, Tensor]] = {}

    def begin(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._seen, self._outputs = set(), {}

    def of(self, name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if name in self._seen:
                return
            self._seen.add(name)
            if self._step == "bn":
                self._outputs[id(output)] = (name, output)  # the tensor itself keeps its id from being given again
            else:
                self._receive(name, inputs[0] if self._step == "input" else output)

        return hook

    def normalised(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        name, _ = self._outputs.pop(id(inputs[0]), ("", None))
        if name:
            self._receive(name, output)
