"""What a user's own functions and classes compute, in words that are the same in every process.

The compiled code that was loaded is read, not the file it came from: the file may have changed since. A function's
defaults, the variables around it and the globals that it names belong to it. Code of installed packages has a version
and is left out.
"""

from __future__ import annotations

import hashlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PACKAGES = {"torch", "torchvision", "timm", "lst_robust", "numpy", *sys.stdlib_module_names} - {"__main__"}
INSTALLED = {"site-packages", "dist-packages"}
CONSTANTS = (type(None), bool, int, float, complex, str, bytes)


def is_packaged(thing: Any) -> bool:
    """Whether a class, function or module comes from an installed package."""
    name = thing.__name__ if isinstance(thing, types.ModuleType) else getattr(thing, "__module__", None)
    if not isinstance(name, str) or name.partition(".")[0] in PACKAGES:
        return True
    module = thing if isinstance(thing, types.ModuleType) else sys.modules.get(name)
    return bool(INSTALLED & set(Path(getattr(module, "__file__", None) or "").parts))


def code_of(thing: Any) -> str:
    """A digest of the code of a class or function of the user's; "" for those of packages, and for other things."""
    digest = hashlib.sha256()
    empty = True
    for line in _lines(thing, set()):
        digest.update(line.encode("utf-8", "backslashreplace") + b"\n")
        empty = False
    return "" if empty else digest.hexdigest()


def _lines(thing: Any, seen: set[int]) -> Iterator[str]:
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, (staticmethod, classmethod)):
        yield from _lines(thing.__func__, seen)
    elif isinstance(thing, property):
        for part in (thing.fget, thing.fset):
            yield from _lines(part, seen)
    elif isinstance(thing, types.MethodType):
        yield from _lines(thing.__func__, seen)
    elif isinstance(thing, type):
        for base in thing.__mro__:
            if not is_packaged(base):
                yield from _class_lines(base, seen)
    elif isinstance(thing, types.FunctionType) and not is_packaged(thing):
        yield from _function_lines(thing, seen)


def _class_lines(kind: type, seen: set[int]) -> Iterator[str]:
    yield f"class {kind.__qualname__}"
    for name, value in sorted(vars(kind).items()):
        if isinstance(value, CONSTANTS) and not name.startswith("__"):
            yield f"{name} = {value!r}"
        else:
            yield from _lines(value, seen)


def _function_lines(function: types.FunctionType, seen: set[int]) -> Iterator[str]:
    yield f"def {function.__qualname__}"
    yield from _code_lines(function.__code__)
    around = [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]
    for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values(), *around):
        yield from _value_lines(value, seen)
    names = list(_names(function.__code__))
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, types.ModuleType) and not is_packaged(value):  # the user's own, of which names are used
            for attribute in names:
                yield from _value_lines(vars(value).get(attribute), seen)
        elif value is not None:
            yield f"global {name}"
            yield from _value_lines(value, seen)


def _value_lines(value: Any, seen: set[int]) -> Iterator[str]:
    """Constants, and functions and classes of the user's. Lists and other objects may change with every call."""
    items = value if isinstance(value, tuple) else (value,)
    if all(isinstance(item, CONSTANTS) for item in items):
        yield repr(value)
    else:
        yield from _lines(value, seen)


def _code_lines(code: types.CodeType) -> Iterator[str]:
    """Of nested functions too. Line numbers and the file's name do not count."""
    yield f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {code.co_freevars}"
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _code_lines(constant)
        else:
            yield repr(sorted(constant, key=repr)) if isinstance(constant, frozenset) else repr(constant)


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
