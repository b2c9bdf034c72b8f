"""The digest of code: what changes it and what does not, of a user's own code and of a plugin's."""

from __future__ import annotations

import functools
import sys
import types

import numpy as np
import pytest

from lst_robust.runtime.code_digest import code_of, is_packaged, plugin_code_of

SOURCE = """
from functools import lru_cache, partial
import numpy as np

FACTOR = 2

def helper(x):
    return x * FACTOR

@lru_cache
def cached(x):
    return x + 1

class Dispatcher:  # as numba's
    def __init__(self, function):
        self.py_func = function
    def __call__(self, x):
        return self.py_func(x)

@Dispatcher
def compiled(x):
    return x - 1

def blur(image, c, rng, strength=3):
    def inner(y):
        return y * strength
    return np.add(inner(helper(image)), cached(c)) + compiled(c)
"""


@pytest.fixture
def module(monkeypatch):
    """module(name, source, file) -> a module of that source, as if it had been imported from the file."""

    def make(name: str, source: str, file: str) -> types.ModuleType:
        made = types.ModuleType(name)
        made.__file__ = file
        monkeypatch.setitem(sys.modules, name, made)
        exec(compile(source, file, "exec"), vars(made))
        return made

    return make


def digests(module, change: tuple[str, str], of=code_of, file: str = "/home/me/mine.py") -> tuple[str, str]:
    assert change[0] in SOURCE
    first = of(module("mine", SOURCE, file).blur)
    return first, of(module("mine", SOURCE.replace(*change), file).blur)


CHANGES = {
    "a line of it": ("return y * strength", "return y + strength"),
    "a default": ("strength=3", "strength=4"),
    "a global constant": ("FACTOR = 2", "FACTOR = 3"),
    "a function that it calls": ("return x * FACTOR", "return x / FACTOR"),
}
WRAPPED = {"cached": ("return x + 1", "return x + 2"), "compiled by numba": ("return x - 1", "return x - 2")}


@pytest.mark.parametrize("of", [code_of, plugin_code_of])
@pytest.mark.parametrize("change", CHANGES)
def test_what_a_function_computes_changes_its_digest(module, of, change):
    first, second = digests(module, CHANGES[change], of)
    assert len(first) == len(second) == 64 and first != second


@pytest.mark.parametrize("of", [code_of, plugin_code_of])
@pytest.mark.parametrize("change", [("\nFACTOR", "\n\n# a comment\nFACTOR"), ("# as numba's", "")])
def test_lines_and_comments_do_not(module, of, change):
    first, second = digests(module, change, of)
    assert first == second != ""


@pytest.mark.parametrize("change", WRAPPED)
def test_of_a_plugin_wrapped_functions_count_too(module, change):
    first, second = digests(module, WRAPPED[change], plugin_code_of)
    assert first != second
    first, second = digests(module, WRAPPED[change], code_of)
    assert first == second, "the digests of networks stay what they were"


INSTALLED = "/usr/lib/python3/site-packages/mine.py"


@pytest.mark.parametrize("change", CHANGES)
def test_of_an_installed_plugin_the_code_counts_all_the_same(module, change):
    first, second = digests(module, CHANGES[change], plugin_code_of, INSTALLED)
    assert "" != first != second != ""
    assert digests(module, CHANGES[change], code_of, INSTALLED) == ("", "")


def test_other_packages_never_count(module):
    made = module("mine", "import numpy as np\nmean = np.mean\ndef f(x):\n    return np.clip(mean(x), 0, 1)", INSTALLED)
    assert is_packaged(np.mean) and is_packaged(np) and is_packaged(made.f)
    assert plugin_code_of(made.f) != ""
    other = module(
        "mine", "import numpy as np\nmean = np.median\ndef f(x):\n    return np.clip(mean(x), 0, 1)", INSTALLED
    )
    assert plugin_code_of(other.f) == plugin_code_of(made.f)


def test_a_partial_and_an_object_that_is_called(module):
    source = "class Blur:\n    def __call__(self, x):\n        return x * 2\ndef f(level, x):\n    return x + level"
    first = module("mine", source, INSTALLED)
    other = module("mine", source.replace("x * 2", "x * 3").replace("x + level", "x - level"), INSTALLED)
    assert "" != plugin_code_of(first.Blur()) != plugin_code_of(other.Blur()) != ""
    digests = {plugin_code_of(functools.partial(made.f, level)) for made in (first, other) for level in (1, 2)}
    assert len(digests) == 4 and "" not in digests


@pytest.mark.parametrize("of", [code_of, plugin_code_of])
@pytest.mark.parametrize("thing", [3, "text", None, np.mean, len])
def test_other_things_have_none(of, thing):
    assert of(thing) == ""
