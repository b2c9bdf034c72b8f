"""`path/to/file.py:function`: a network that somebody's own code builds.

The function is called as `function(num_classes=..., image_size=..., **options)` and returns an nn.Module that takes
normalised float32 (N, 3, H, W) and gives logits (N, num_classes).
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from lst_robust.errors import UsageError, message_of
from lst_robust.models.entry import ModelEntry
from lst_robust.models.external.common import ON_META, output, standard_output_for_results


def entry(name: str, path: Path, function: str) -> ModelEntry:
    """The record of a file's function; UsageError where there is no such file, and for what is no name of a
    function."""
    if not path.is_file():
        raise UsageError(f"model {name!r}: there is no file {path}")
    if not function.isidentifier():
        raise UsageError(f"model {name!r}: after {path.name}: stands the name of one function in it")
    return ModelEntry(
        name=name,
        family="file",
        factory=partial(_build, path, function),
        input_size=224,
        num_classes=1000,
        source=f"code of {path.name}",
        options=None,
    )


def code_digest(name: str) -> str | None:
    """SHA-256 of the file of a network `path/to/file.py:function`, in hexadecimal digits; None for other names."""
    file = name.rpartition(":")[0]
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file.endswith(".py") else None


def _build(path: Path, function: str, *, num_classes: int, image_size: int, **options: Any) -> nn.Module:
    spec = importlib.util.spec_from_file_location(path.stem, path)  # a class's name in a run's identity begins so
    assert spec and spec.loader  # a .py file always has them
    module = importlib.util.module_from_spec(spec)
    try:
        with standard_output_for_results(), _findable(module):
            spec.loader.exec_module(module)
            model = getattr(module, function)(num_classes=num_classes, image_size=image_size, **options)
        if not isinstance(model, nn.Module):
            raise UsageError(f"{path}:{function} returned a {type(model).__name__}: it must return an nn.Module")
        found = output(model, image_size)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:  # the file's own code: anything can happen in it
        failed = f"{path}:{function} failed ({type(error).__name__}: {message_of(error)})"
        advice = "put into this file what it imports" if _lies_beside(error, path) else "correct its code"
        raise UsageError(f"{failed}: {advice}") from error
    if found not in (f"(2, {num_classes})", ON_META):
        raise UsageError(
            f"{path}:{function}: its network makes {found} of two images: it must make a tensor (2, {num_classes}) of "
            "logits"
        )
    return model


@contextmanager
def _findable(module: ModuleType) -> Iterator[None]:
    """Within it the module is among those that are imported, where dataclasses look for what annotations mean. One that
    has its name already stays there."""
    added = sys.modules.setdefault(module.__name__, module) is module
    try:
        yield
    finally:
        if added:
            sys.modules.pop(module.__name__, None)


def _lies_beside(error: BaseException, path: Path) -> bool:
    """Whether the import of another file beside this one failed: a record names the code of one file."""
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    return name is not None and any((path.parent / place).exists() for place in (f"{name}.py", name))
