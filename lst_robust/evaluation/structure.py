"""What a network is built of, as a digest: its modules, their settings, and the code that is the user's own.

Weights do not say what a network computes: the same tensors serve with another threshold, activation or stride. Two
networks of one digest have the same modules with the same settings. What the digest cannot see (code that changed
inside an installed package) shows in the answers to the probe images, see lst_robust/evaluation/probe.py.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import inspect
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

PACKAGES = ("torch", "torchvision", "timm", "lst_robust")  # whose code has a version, and is not read here
DESCRIPTIVE = {"training", "config", "pretrained_cfg", "default_cfg"}  # attributes that say what a network is, not does
OF_EVERY_MODULE = set(vars(nn.Module()))
HOOKS = ("_forward_pre_hooks", "_forward_hooks")
PLAIN = (type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device, torch.Size, range, slice)


def structure_digest(model: nn.Module) -> str:
    """SHA-256 of what a network is built of, in hexadecimal digits."""
    digest = hashlib.sha256()
    for line in _lines(model):
        digest.update(line.encode("utf-8", "backslashreplace") + b"\n")
    return digest.hexdigest()


def code_digest(path: Path) -> str:
    """SHA-256 of a file of code."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _lines(model: nn.Module) -> Iterator[str]:
    stored = set(model.state_dict())  # whose values are the weights' identity
    for name, module in model.named_modules():
        yield f"{name}: {_type_name(type(module))}({module.extra_repr()})"
        yield from (f"{name}.{key} = {value}" for key, value in _settings(module))
    for name, buffer in model.named_buffers():
        if name not in stored:
            yield f"{name} = {described(buffer)}"


def _settings(module: nn.Module) -> Iterator[tuple[str, str]]:
    """A module's own attributes and hooks, and its code where that is in no installed package."""
    attributes = vars(module)
    ours = _in_package(type(module).__module__)
    for key in sorted(attributes):
        internal = ours and key.startswith("_")
        if key not in OF_EVERY_MODULE and key not in DESCRIPTIVE and not internal:
            yield key, described(attributes[key])
    for key in HOOKS:
        if attributes.get(key):
            yield key, described(list(attributes[key].values()))
    for key in ("code", "original_name"):  # of scripted and traced networks, whose classes are all the same
        text = getattr(module, key, None)
        if isinstance(text, str):
            yield key, text
    yield "class", source_text(type(module))


def described(value: Any, depth: int = 4) -> str:
    """A setting in words that are the same in every process: no addresses."""
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return _described_array(value)
    if isinstance(value, enum.Enum):
        return f"{_type_name(type(value))}.{value.name}"
    if isinstance(value, functools.partial) and depth:
        return f"partial({described([value.func, list(value.args), value.keywords], depth - 1)})"
    if isinstance(value, Mapping) and depth:
        items = [f"{described(key, 0)}: {described(item, depth - 1)}" for key, item in value.items()]
        return "{" + ", ".join(items) + "}"
    if isinstance(value, (list, tuple, set, frozenset)) and depth:
        items = [described(item, depth - 1) for item in value]
        return f"{type(value).__name__}({', '.join(sorted(items) if isinstance(value, (set, frozenset)) else items)})"
    if isinstance(value, type):
        return f"{_type_name(value)} {source_text(value)}"
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{getattr(value, '__module__', '')}.{value.__qualname__} {source_text(value)}{_bound(value, depth)}"
    return _type_name(type(value))


def _bound(function: Any, depth: int) -> str:
    """What a function of the user's holds besides its text: defaults and the variables around it. Of a lambda also its
    compiled code, because several can stand on one line."""
    if not isinstance(function, types.FunctionType) or _in_package(function.__module__) or not depth:
        return ""
    around = [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]
    code = [function.__code__.co_code] if function.__name__ == "<lambda>" else []
    return described([function.__defaults__, function.__kwdefaults__, *around, *code], depth - 1)


def _described_array(value: torch.Tensor | np.ndarray) -> str:
    try:
        values = torch.as_tensor(value).detach().cpu().contiguous().reshape(-1)
        content = values.view(torch.uint8).numpy().tobytes()
    except (TypeError, RuntimeError, NotImplementedError):  # of objects, sparse, quantised, without values
        return f"{_type_name(type(value))} {tuple(value.shape)}"
    return f"{value.dtype} {tuple(value.shape)} {hashlib.sha256(content).hexdigest()}"


def _type_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _in_package(module: str | None) -> bool:
    return (module or "").partition(".")[0] in PACKAGES


def source_text(thing: Any) -> str:
    """The source text of a class or function that belongs to no installed package; "" where there is none."""
    if _in_package(getattr(thing, "__module__", None)):
        return ""
    try:
        file = inspect.getsourcefile(thing) or ""
        return "" if {"site-packages", "dist-packages"} & set(Path(file).parts) else inspect.getsource(thing)
    except (OSError, TypeError):  # typed at a prompt, or compiled
        return ""
