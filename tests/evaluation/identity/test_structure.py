"""What a network is built of: the digest changes with every setting, and with nothing else."""

from __future__ import annotations

import functools
import subprocess
import sys
import types

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

from lst_robust.evaluation.identity.structure import described, structure_digest
from lst_robust.models import create_model


class Net(nn.Module):
    """Takes any settings."""

    def __init__(self, **settings: object) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        for name, value in settings.items():
            setattr(self, name, value)


class Other(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)


def with_buffer(value: float) -> nn.Module:
    net = Net()
    net.register_buffer("scale", torch.tensor([value]), persistent=False)
    return net


def with_hook(hook) -> nn.Module:
    net = Net()
    net.linear.register_forward_hook(hook)
    return net


def double(module, inputs, output):
    return 2 * output


def halve(module, inputs, output):
    return output / 2


def times(gain: float):
    return lambda x: gain * x


LEAKY = [functools.partial(F.leaky_relu, negative_slope=slope) for slope in (0.1, 0.2)]


def from_text(text: str) -> nn.Module:
    """A network whose class was typed at a prompt: there is no file of its code."""
    names: dict = {"nn": nn, "__name__": "prompt"}
    exec(text, names)
    return names["Typed"]()


def typed(**changes: object) -> nn.Module:
    return from_text(TYPED.format(**{"gain": 1, "factor": 1, "sign": "+"} | changes))


TYPED = """
import math
GAIN = {gain}
def scale(x): return x * {factor}
class Base(nn.Module):
    def forward(self, x): return scale(x) {sign} GAIN
class Typed(Base): pass
"""
SHARED = nn.ReLU()


class Adding:
    def __init__(self, value: int) -> None:
        self.value = value

    def __call__(self, x):
        return x + self.value

    def add(self, x):
        return x + self.value


DIFFERENT = {
    "a configuration of one's own": (Net(config={"act": "relu"}), Net(config={"act": "gelu"})),
    "a namespace": (Net(opt=types.SimpleNamespace(p=1)), Net(opt=types.SimpleNamespace(p=2))),
    "an object that is called": (Net(act=Adding(1)), Net(act=Adding(2))),
    "a method's object": (Net(act=Adding(1).add), Net(act=Adding(2).add)),
    "how often a module is used": (nn.Sequential(SHARED), nn.Sequential(SHARED, SHARED)),
    "a base class": (typed(sign="+"), typed(sign="-")),
    "a global": (typed(gain=1), typed(gain=2)),
    "a helper": (typed(factor=1), typed(factor=2)),
    "deep settings": (Net(a=[[[[[1]]]]]), Net(a=[[[[[2]]]]])),
    "a number": (Net(gain=1.0), Net(gain=1.5)),
    "a flag": (Net(_flag=True), Net(_flag=False)),
    "a list": (Net(gains=[1, 2]), Net(gains=[1, 3])),
    "a mapping": (Net(gains={"a": 1}), Net(gains={"a": 2})),
    "a nested list": (Net(gains=[[1], {"a": (2,)}]), Net(gains=[[1], {"a": (3,)}])),
    "a tensor that is no weight": (Net(mean=torch.zeros(2)), Net(mean=torch.ones(2))),
    "an array": (Net(mean=np.zeros(2)), Net(mean=np.ones(2))),
    "a function": (Net(act=F.relu), Net(act=F.gelu)),
    "a function's argument": (Net(act=LEAKY[0]), Net(act=LEAKY[1])),
    "a function of one's own": (Net(act=lambda x: x), Net(act=lambda x: -x)),
    "a variable around a function": (Net(act=times(1)), Net(act=times(2))),
    "a buffer that is not stored": (with_buffer(1.0), with_buffer(2.0)),
    "a hook": (with_hook(double), with_hook(halve)),
    "no hook": (with_hook(double), Net()),
    "a class": (Net(), Other()),
    "a layer's setting": (nn.Conv2d(2, 2, 3, stride=1), nn.Conv2d(2, 2, 3, stride=2)),
    "an activation": (nn.Sequential(nn.ReLU()), nn.Sequential(nn.GELU())),
    "an activation's setting": (nn.LeakyReLU(0.1), nn.LeakyReLU(0.2)),
    "a threshold": (create_model("lst20", 2, tau=1e-4), create_model("lst20", 2, tau=1e-5)),
    "a script": (torch.jit.trace(nn.ReLU(), torch.zeros(1)), torch.jit.trace(nn.Tanh(), torch.zeros(1))),
}  # fmt: skip


@pytest.mark.parametrize("what", DIFFERENT)
def test_it_tells_apart(what):
    first, second = (structure_digest(network) for network in DIFFERENT[what])
    assert first != second and len(first) == 64


def collecting() -> nn.Module:
    net, seen = Net(), []
    net.linear.register_forward_hook(lambda module, inputs, output: seen.append(output))
    return net


FULL = collecting()
FULL.linear(torch.zeros(1, 2))
EQUAL = {
    "the process's memory": (typed(), typed()),
    "what a hook has collected": (collecting(), FULL),
    "the device": (Net(device=torch.device("cpu")), Net(device=torch.device("cuda"))),
    "other weights": (Net(), Net()),
    "training or evaluation": (Net().train(), Net().eval()),
    "frozen weights": (Net(), Net().requires_grad_(False)),
    "a description": (timm.create_model("test_resnet"), timm.create_model("test_resnet.r160_in1k")),
    "what has no description": (Net(thing=object()), Net(thing=object())),
    "a set in any order": (Net(names={"a", "b", "c"}), Net(names={"c", "b", "a"})),
    "the registry's networks": (create_model("cbam20", 2), create_model("cbam20", 2)),
}


@pytest.mark.parametrize("what", EQUAL)
def test_it_does_not_depend_on(what):
    first, second = (structure_digest(network) for network in EQUAL[what])
    assert first == second


@pytest.mark.slow
def test_another_process_finds_the_same():
    code = (
        "from lst_robust.models import create_model\n"
        "from lst_robust.evaluation.identity.structure import structure_digest\n"
        "print(*(structure_digest(create_model(n, 10, image_size=32)) for n in ('lst18', 'torchvision:squeezenet1_0')))"
    )
    found = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    ]
    assert (
        found[0]
        == found[1]
        == [structure_digest(create_model(name, 10, image_size=32)) for name in ("lst18", "torchvision:squeezenet1_0")]
    )


@pytest.mark.parametrize(
    "value",
    [torch.zeros(0), torch.zeros(2, dtype=torch.bfloat16), torch.eye(2).to_sparse(), np.array([object()]), object()],
)
def test_no_value_is_beyond_words_and_none_says_its_address(value):
    assert "0x" not in described(value)
    assert described([value]) == described([value])
