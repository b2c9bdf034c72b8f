"""How long work tells how far it is. The library calls an observer; the command line's draws bars with rich."""

from __future__ import annotations

from typing import Protocol, cast

from lst_robust.arguments import wrong


class Observer(Protocol):
    """Receives the progress of evaluation, training and generation. Every method may be called often and from several
    threads, and must return quickly."""

    def start(self, title: str, total: int, done: int = 0) -> None:
        """A stretch of `total` steps begins, `done` of which were finished earlier."""

    def advance(self, steps: float = 1, status: str = "") -> None:
        """So many steps further; `status` is the running result, such as "mean error 12.3 %"."""

    def finish(self) -> None:
        """The stretch is over."""


class Silent:
    """An observer that shows nothing, for use as a library."""

    def start(self, title: str, total: int, done: int = 0) -> None: ...

    def advance(self, steps: float = 1, status: str = "") -> None: ...

    def finish(self) -> None: ...


def checked_observer(name: str, value: object, *, also: str = "") -> Observer:
    """An object with the methods of `Observer`; UsageError for anything else."""
    methods = [method for method in vars(Observer) if not method.startswith("_")]
    missing = [method for method in methods if not callable(getattr(value, method, None))]
    if missing or isinstance(value, type):
        raise wrong(name, value, f"give an object with the methods {', '.join(methods)}{also}")
    return cast(Observer, value)
