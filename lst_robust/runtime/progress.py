"""How long work tells what it is doing. The library calls an observer; the command line's draws bars with rich."""

from __future__ import annotations

from typing import Protocol, cast

from lst_robust.arguments import wrong


class Observer(Protocol):
    """Receives the progress of evaluation and training. Every method may be called often and must return quickly."""

    def note(self, text: str) -> None:
        """One line a person should read: what is done next and why, or what was left out."""

    def warn(self, text: str) -> None:
        """One line about something that is wrong but does not stop the work."""

    def start(self, title: str, total: int, done: int = 0) -> None:
        """A stretch of `total` steps begins, `done` of which were finished earlier."""

    def advance(self, steps: float = 1, status: str = "") -> None:
        """So many steps further; `status` is the running result, such as "mean error 12.3 %"."""

    def finish(self) -> None:
        """The stretch is over."""


class Silent:
    """An observer that only keeps the warnings, for use as a library."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def note(self, text: str) -> None: ...

    def warn(self, text: str) -> None:
        self.warnings.append(text)

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
