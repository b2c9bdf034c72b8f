"""numba as this project uses it: releases the GIL, keeps IEEE arithmetic, is cached, and says when it compiles.

No fastmath and no OpenMP: kernels must give the plain definition's bits, and threads are the engine's business.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any

import numba
from numba.core import event

from lst_robust.runtime.cache import cache_root

logger = logging.getLogger(__name__)

_lock = Lock()
_config: Any = numba.config  # its settings are made at run time


def cache_folder() -> Path:
    """Where compiled kernels are kept, below the user's NUMBA_CACHE_DIR if that is set: one folder for each state of
    this package's sources.

    numba looks only at the file of the function itself, so an edit to a helper in another file would go unnoticed.
    """
    digest = blake2b(digest_size=8)
    for source in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(source.read_bytes())
    return Path(_config.CACHE_DIR or cache_root()) / f"kernels-{digest.hexdigest()}"


_folder = str(cache_folder())


def jit(function: Any) -> Any:
    """Compile `function` at its first call for each combination of argument types, or load it from the cache. Where
    numba is switched off, the function stays as it is, and nobody calls it."""
    if _config.DISABLE_JIT:
        return function
    with _lock:
        previous = _config.CACHE_DIR
        _config.CACHE_DIR = _folder
        try:
            dispatcher: Any = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
            dispatcher._cache = _Forgiving(dispatcher._cache)
            return dispatcher
        except RuntimeError:  # no folder can be written: compile in every process
            return numba.njit(nogil=True, error_model="numpy")(function)
        finally:
            _config.CACHE_DIR = previous


def inlined(function: Any) -> Any:
    """A helper of kernels that becomes part of the loop that calls it, which then can become vector instructions."""
    return numba.njit(inline="always", error_model="numpy")(function)


class _Forgiving:
    """numba's cache of a function, whose failures only cost time: a full disk, or files that were cut short.

    numba's plain `cache=True` does not do: it raises UnpicklingError for an index that was cut short, in every process
    from then on, until somebody removes the file.
    """

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, *arguments: Any) -> Any:
        try:
            return self._cache.load_overload(*arguments)
        except Exception:  # what unpickling damaged data raises
            return None

    def save_overload(self, *arguments: Any) -> None:
        try:
            self._cache.save_overload(*arguments)
        except OSError:
            pass
        except Exception:  # the index is damaged: begin it anew
            with suppress(OSError):
                self._cache.flush()
                self._cache.save_overload(*arguments)


class _Notice(event.Listener):
    """One line in the log for each kernel that is really compiled; not for its helpers, nor for one from the cache."""

    depth = 0  # compilation runs under numba's global lock, so one counter will do

    def on_start(self, event: event.Event) -> None:
        function = event.data["dispatcher"].py_func
        if self.depth == 0 and function.__module__.startswith(__package__):
            name = function.__name__.strip("_")
            logger.info("compiling %s for this machine (once, some seconds)", name)
        self.depth += 1

    def on_end(self, event: event.Event) -> None:
        self.depth -= 1


event.register("numba:compile", _Notice())
