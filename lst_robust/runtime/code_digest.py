"""What a user's own functions and classes compute, in words that are the same in every process.

The compiled code that was loaded is read, not the file it came from: the file may have changed since. A function's
defaults, the variables around it and the globals that it names belong to it. Code of installed packages has a version
and is left out, unless the caller names the package. Of a plugin's functions, lists, dicts, sets and NumPy arrays count
as they were when they were seen first, because a function may fill them as it works.
"""

from __future__ import annotations

import functools
import hashlib
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = {"torch", "torchvision", "timm", "lst_robust", "numpy", *sys.stdlib_module_names} - {"__main__"}
INSTALLED = {"site-packages", "dist-packages"}
CONSTANTS = (type(None), bool, int, float, complex, str, bytes)
COLLECTIONS = (list, tuple, dict, set, frozenset, np.ndarray, np.generic)
_first_seen: dict[int, tuple[Any, tuple[str, ...]]] = {}  # by the object's id; it is kept, so that the id stays its own
WRAPPED = ("__wrapped__", "func", "py_func")  # where functools and numba keep the function that they wrap


def is_packaged(thing: Any) -> bool:
    """Whether a class, function or module comes from an installed package."""
    name = thing.__name__ if isinstance(thing, types.ModuleType) else getattr(thing, "__module__", None)
    if not isinstance(name, str) or name.partition(".")[0] in PACKAGES:
        return True
    module = thing if isinstance(thing, types.ModuleType) else sys.modules.get(name)
    return bool(INSTALLED & set(Path(getattr(module, "__file__", None) or "").parts))


def code_of(thing: Any) -> str:
    """A digest of the code of a class or function of the user's; "" for those of packages, and for other things."""
    return _digest(_Reader().lines(thing))


def plugin_code_of(thing: Any) -> str:
    """A digest of the code of a function that a plugin or the user wrote; "" for other things.

    The plugin's own package counts, installed or not, and so do functions that functools or numba wrap.
    """
    inner = thing.func if isinstance(thing, functools.partial) else thing
    package = (getattr(inner, "__module__", None) or "").partition(".")[0]
    return _digest(_Reader(plugin="" if package in PACKAGES else package).lines(thing))


def _digest(lines: Iterator[str]) -> str:
    digest = hashlib.sha256()
    empty = True
    for line in lines:
        digest.update(line.encode("utf-8", "backslashreplace") + b"\n")
        empty = False
    return "" if empty else digest.hexdigest()


@dataclass
class _Reader:
    """Puts code into lines of text.

    plugin: the top-level package whose code counts though it is installed, "" for none. With None, functions that are
    wrapped do not count either, nor do lists and arrays: so it is for networks, whose digests stay what they were.
    """

    plugin: str | None = None
    seen: set[int] = field(default_factory=set)

    def lines(self, thing: Any) -> Iterator[str]:
        if id(thing) in self.seen:
            return
        self.seen.add(id(thing))
        if isinstance(thing, (staticmethod, classmethod)):
            yield from self.lines(thing.__func__)
        elif isinstance(thing, property):
            for part in (thing.fget, thing.fset):
                yield from self.lines(part)
        elif isinstance(thing, types.MethodType):
            yield from self.lines(thing.__func__)
        elif isinstance(thing, type):
            for base in thing.__mro__:
                if not self._is_left_out(base):
                    yield from self._class_lines(base)
        elif isinstance(thing, types.FunctionType):
            if not self._is_left_out(thing):
                yield from self._function_lines(thing)
        elif self.plugin is not None and callable(thing):
            yield from self._wrapper_lines(thing)

    def _is_left_out(self, thing: Any) -> bool:
        name = thing.__name__ if isinstance(thing, types.ModuleType) else getattr(thing, "__module__", None)
        if self.plugin and isinstance(name, str) and name.partition(".")[0] == self.plugin:
            return False
        return is_packaged(thing)

    def _wrapper_lines(self, thing: Any) -> Iterator[str]:
        """Of an object that is called as a function is: what it wraps, and the class it is of."""
        for name in WRAPPED:
            yield from self.lines(getattr(thing, name, None))
        if isinstance(thing, functools.partial):
            for value in (*thing.args, *thing.keywords.values()):
                yield from self._value_lines(value)
        else:
            yield from self.lines(type(thing))

    def _class_lines(self, kind: type) -> Iterator[str]:
        yield f"class {kind.__qualname__}"
        for name, value in sorted(vars(kind).items()):
            if isinstance(value, CONSTANTS) and not name.startswith("__"):
                yield f"{name} = {value!r}"
            else:
                yield from self.lines(value)

    def _function_lines(self, function: types.FunctionType) -> Iterator[str]:
        yield f"def {function.__qualname__}"
        yield from _code_lines(function.__code__)
        around = [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]
        for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values(), *around):
            yield from self._value_lines(value)
        names = list(_names(function.__code__))
        for name in names:
            value = function.__globals__.get(name)
            if isinstance(value, types.ModuleType) and not self._is_left_out(value):  # of which names are used
                for attribute in names:
                    yield from self._value_lines(vars(value).get(attribute))
            elif value is not None:
                yield f"global {name}"
                yield from self._value_lines(value)

    def _value_lines(self, value: Any) -> Iterator[str]:
        """Constants, and functions and classes of the user's. Other objects may change with every call."""
        items = value if isinstance(value, tuple) else (value,)
        if all(isinstance(item, CONSTANTS) for item in items):
            yield repr(value)
        elif self.plugin is not None and isinstance(value, COLLECTIONS):
            yield from self._collection_lines(value)
        else:
            yield from self.lines(value)

    def _collection_lines(self, value: Any) -> Iterator[str]:
        if id(value) in self.seen:  # a list may hold itself
            return
        self.seen.add(id(value))
        if id(value) not in _first_seen:
            _first_seen[id(value)] = value, tuple(self._content_lines(value))
        yield from _first_seen[id(value)][1]

    def _content_lines(self, value: Any) -> Iterator[str]:
        yield type(value).__name__
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            yield f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
        elif isinstance(value, np.generic):
            yield f"{value.dtype} {value!r}"
        elif isinstance(value, (set, frozenset)):  # which have no order
            yield from sorted(" ".join(self._value_lines(item)) for item in value)
        elif isinstance(value, dict):
            for key, item in value.items():
                yield from self._value_lines(key)
                yield from self._value_lines(item)
        else:
            for item in value.tolist() if isinstance(value, np.ndarray) else value:
                yield from self._value_lines(item)


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
