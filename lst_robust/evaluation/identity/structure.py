"""What a network is built of, as a digest: its modules, their settings, and the code that is the user's own.

Weights do not say what a network computes: the same tensors serve with another threshold, activation or stride. Two
networks of one digest have the same modules with the same settings. What the digest cannot see (code that changed
inside an installed package) shows in the answers to the probe images, see lst_robust/evaluation/identity/probe.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import enum
import functools
import hashlib
import re
import types
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from lst_robust.models.entry import ModelConfig
from lst_robust.runtime.code_digest import code_of, is_packaged

DESCRIPTIONS = {  # attributes with which a library's modules say where weights come from, and what they were built by
    "timm": {"pretrained_cfg", "default_cfg"},
    "transformers": {"config", "name_or_path"},  # a config has more fields with each release
}
ATTRIBUTES_OF_ALL = {*vars(nn.Module()), "training"}
HOOKS = ("_forward_pre_hooks", "_forward_hooks")
PLAIN = (type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.Size, range, slice)
DEPTH = 8  # of settings inside settings
ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


def structure_digest(model: nn.Module) -> str:
    """SHA-256 of what a network is built of, in hexadecimal digits."""
    digest = hashlib.sha256()
    for line in _lines(model):
        digest.update(line.encode("utf-8", "backslashreplace") + b"\n")
    return digest.hexdigest()


def weights_digest(model: nn.Module) -> str:
    """SHA-256 of a network's weights, with their names, shapes and types."""
    digest = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        digest.update(f"{key}: {described(value)}\n".encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def _lines(model: nn.Module) -> Iterator[str]:
    stored = set(model.state_dict())  # whose values are the weights' digest
    for name, module in model.named_modules(remove_duplicate=False):
        yield f"{name}: {_type_name(type(module))}({ADDRESS.sub('', module.extra_repr())}) {code_of(type(module))}"
        yield from (f"{name}.{key} = {value}" for key, value in _settings(module))
    for name, buffer in model.named_buffers():
        if name not in stored:
            yield f"{name} = {described(buffer)}"


def _settings(module: nn.Module) -> Iterator[tuple[str, str]]:
    """A module's own attributes and hooks. What the class of a package keeps for itself is left out."""
    attributes, packaged = vars(module), is_packaged(type(module))
    descriptions = DESCRIPTIONS.get(type(module).__module__.partition(".")[0], set())
    for key in sorted(set(attributes) - ATTRIBUTES_OF_ALL):
        internal = packaged and key.startswith("_")
        descriptive = isinstance(attributes[key], ModelConfig) or key in descriptions
        if not internal and not descriptive:
            yield key, described(attributes[key])
    for key in HOOKS:
        if attributes.get(key):
            yield key, described(list(attributes[key].values()))
    for key in ("code", "original_name"):  # of scripted and traced networks, whose classes are all the same
        text = getattr(module, key, None)
        if isinstance(text, str):
            yield key, text


def described(value: Any, depth: int = DEPTH) -> str:
    """A setting in words that are the same in every process: no addresses, and no device."""
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return _described_array(value)
    if isinstance(value, enum.Enum):
        return f"{_type_name(type(value))}.{value.name}"
    if not depth or isinstance(value, (nn.Module, torch.device)):
        return _type_name(type(value))
    if isinstance(value, Mapping):
        items = [f"{described(key, 1)}: {described(item, depth - 1)}" for key, item in value.items()]
        return "{" + ", ".join(items) + "}"
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [described(item, depth - 1) for item in value]
        return f"{type(value).__name__}({', '.join(sorted(items) if isinstance(value, (set, frozenset)) else items)})"
    if isinstance(value, functools.partial):
        return f"partial({described([value.func, list(value.args), value.keywords], depth - 1)})"
    if isinstance(value, type):
        return f"{_type_name(value)} {code_of(value)}"
    return _described_object(value, depth)


def _described_object(value: Any, depth: int) -> str:
    """Functions and methods by their code; objects that hold settings, or can be called, also by their attributes."""
    if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, types.MethodType)):
        owner = getattr(value, "__self__", None)
        bound = "" if owner is None or isinstance(owner, types.ModuleType) else f" of {described(owner, depth - 1)}"
        return f"{getattr(value, '__module__', '')}.{value.__qualname__} {code_of(value)}{bound}"
    holds_settings = isinstance(value, (types.SimpleNamespace, argparse.Namespace)) or dataclasses.is_dataclass(value)
    attributes = ""
    if (holds_settings or callable(value)) and hasattr(value, "__dict__"):
        attributes = described(vars(value), depth - 1)
    return f"{_type_name(type(value))} {code_of(type(value))}{attributes}"


def _described_array(value: torch.Tensor | np.ndarray) -> str:
    try:
        values = torch.as_tensor(value).detach().cpu().contiguous().reshape(-1)
        content = values.view(torch.uint8).numpy().tobytes()
    except (TypeError, ValueError, RuntimeError, NotImplementedError):  # of objects, sparse, quantised, without values
        return _type_name(type(value))
    return f"{value.dtype} {tuple(value.shape)} {hashlib.sha256(content).hexdigest()}"


def _type_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
