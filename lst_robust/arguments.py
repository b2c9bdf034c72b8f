"""Arguments of public functions, checked before any work: each mistake is one line with the argument and the fix.

Every check takes the argument's name and its value, and returns the value as a plain one of Python's. NumPy's integers,
floats, booleans and texts are as good as Python's; a boolean is never a number, a float never a whole number (3.0 is
none), and a text is never a list. `also` says at the end of a message what else may be given.
"""

from __future__ import annotations

import json
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Set
from itertools import islice
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lst_robust.errors import UsageError, unknown_name

T = TypeVar("T")

LARGEST = 2**128 - 1  # of whole numbers: as text it fits into a message and a folder's name
MOST_ITEMS = 10_000_000  # of a list: a generator may never end
MAX_SHOWN = 100  # characters of a value in a message
OR_NONE = ", or None"
SHOWN_AS_THEY_ARE = (str, bytes, bool, int, float, complex, list, tuple, set, dict, range, type(None))


def optional(check: Callable[..., T], name: str, value: object, **limits: Any) -> T | None:
    """None stays None, anything else goes through `check`."""
    return None if value is None else check(name, value, also=OR_NONE, **limits)


def whole_number(name: str, value: object, *, least: int = -LARGEST, most: int = LARGEST, also: str = "") -> int:
    """Python's and NumPy's integers, and NumPy's arrays that are one number without an axis."""
    number = _as_integer(value)
    if number is None:
        raise wrong(name, value, f"give a whole number{_range(least, most)}{also}")
    if not least <= number <= most:
        raise wrong(name, number, f"give a whole number{_range(least, most, number)}")
    return number


def whole_numbers(
    name: str, value: object, *, least: int = -LARGEST, most: int = LARGEST, also: str = ""
) -> tuple[int, ...]:
    """At least one whole number, see `items`."""
    found = items(name, value, of=int, also=also)
    return tuple(whole_number(f"{name}[{place}]", one, least=least, most=most) for place, one in enumerate(found))


def finite_number(name: str, value: object, *, least: float | None = None, also: str = "") -> float:
    """Python's and NumPy's numbers, neither NaN nor infinite."""
    at_least = "" if least is None else f" of at least {least:g}"
    number = _as_float(value)
    if number is None or not np.isfinite(number) or (least is not None and number < least):
        raise wrong(name, value, f"give a finite number{at_least}{also}")
    return number


def yes_or_no(name: str, value: object, *, also: str = "") -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise wrong(name, value, f"give True or False{also}")
    return bool(value)


def text(name: str, value: object, *, longest: int | None = None, also: str = "") -> str:
    """A text that is not empty; with `longest`, of at most so many characters, all of them printable."""
    wanted = "a text" if longest is None else f"a text of 1 to {longest} printable characters"
    if not isinstance(value, str) or not value:
        raise wrong(name, value, f"give {wanted}{also}")
    if longest is not None and (len(value) > longest or not value.isprintable()):
        raise wrong(name, value, f"give {wanted}{also}")
    return plain(value)


def names(name: str, value: object, *, empty: bool = False, also: str = "") -> tuple[str, ...]:
    """Texts, see `items`."""
    found = items(name, value, of=str, empty=empty, also=also)
    return tuple(text(f"{name}[{place}]", one) for place, one in enumerate(found))


def choice(kind: str, value: object, known: Iterable[str], *, also: str = "") -> str:
    """One of the known names of a kind, such as "metric"; the message offers the nearest."""
    known = list(known)
    if not isinstance(value, str):
        raise wrong(kind, value, f"choose from {', '.join(known)}{also}")
    if value not in known:
        raise unknown_name(kind, plain(value), known)
    return plain(value)


def choices(name: str, value: object, known: Iterable[str], *, kind: str, also: str = "") -> tuple[str, ...]:
    """At least one of the known names, each once and in the order given, see `items`."""
    found = items(name, value, of=str, also=also)
    for place, one in enumerate(found):
        if not isinstance(one, str):
            raise wrong(f"{name}[{place}]", one, f"give the name of a {kind}")
    return tuple(dict.fromkeys(choice(kind, one, known) for one in found))


def items(name: str, value: object, *, of: type = object, empty: bool = False, also: str = "") -> list[Any]:
    """What is in a list, tuple, array, generator or set (sorted, because a set has no order). A text is refused, which
    would pass for a list of its letters. `of`: what a list is made of, for the message; nothing is checked by it."""
    single = isinstance(value, (str, bytes, Mapping)) or (isinstance(value, np.ndarray) and value.ndim == 0)
    if single or not isinstance(value, Iterable):
        one = _as_integer(value) if of is int else value
        example = f", such as {name}=[{json.dumps(one, ensure_ascii=False)}]" if type(one) is of else ""
        raise wrong(name, value, f"give a list{example if len(example) <= MAX_SHOWN else ''}{also}")
    found = list(islice(iter(value), MOST_ITEMS + 1))
    if len(found) > MOST_ITEMS:
        raise UsageError(f"{name} has more than {MOST_ITEMS:,} items: give fewer{also}")
    if not found and not empty:
        raise UsageError(f"{name} is empty: give at least one")
    return sorted(found, key=str) if isinstance(value, Set) else found


def path(name: str, value: object, *, also: str = "") -> Path:
    """A file or folder, as text or `Path`."""
    found = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(found, str) or not found or "\0" in found:
        raise wrong(name, value, f"give a path, as text or Path{also}")
    return Path(plain(found))


def instance(name: str, value: T, kind: Any, advice: str) -> T:
    """A value of that class; `advice` says how to get one."""
    if not isinstance(value, kind):
        raise wrong(name, value, advice)
    return value


def function(name: str, value: T, *, also: str = "") -> T:
    """Something that can be called."""
    if not callable(value):
        raise wrong(name, value, f"give a function{also}")
    return value


def wrong(name: str, value: object, advice: str) -> UsageError:
    """The error of a value that cannot be meant."""
    return UsageError(f"{name} is {shown(value)}: {advice}")


def shown(value: object) -> str:
    """A value for a message, short whatever it is."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of {value.dtype} {value.shape}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, (*SHOWN_AS_THEY_ARE, np.ndarray, np.generic)):
        return f"of type {type(value).__name__}"
    try:
        found = repr(plain(value) if isinstance(value, str) else value)
    except ValueError:  # Python refuses to write a number of very many digits
        return "a number of very many digits"
    return found if len(found) <= MAX_SHOWN else f"{found[:MAX_SHOWN]}..."


def plain(value: str) -> str:
    """A text of a class of its own, such as NumPy's, as Python's."""
    return str.__str__(value)


def _as_integer(value: object) -> int | None:
    scalar = isinstance(value, Integral) or (isinstance(value, np.ndarray) and value.ndim == 0)
    if isinstance(value, bool) or not scalar:
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:  # a duration of NumPy, an array of another type
        return None


def _as_float(value: object) -> float | None:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, (bool, np.bool_, np.timedelta64)) or not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _range(least: int, most: int, number: int = 0) -> str:
    """What is allowed, in words; bounds of `LARGEST` are only named to a number that oversteps them."""
    above, below = least > -LARGEST or number < least, most < LARGEST or number > most
    if above and below:
        return f" from {least:,} to {most:,}"
    if below:
        return f" of at most {most:,}"
    return f" of at least {least:,}" if above else ""
