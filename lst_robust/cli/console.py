"""What every command shares: where text goes, how progress is drawn, how an error becomes one line and a code.

Results go to stdout; progress, notes, warnings and errors to stderr, so that `--json` and pipes stay clean.
"""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from lst_robust.errors import LstRobustError

P = ParamSpec("P")
R = TypeVar("R")

INTERRUPTED = 130
PLAIN_INTERVAL = 30.0  # seconds between progress lines where there is no terminal to draw a bar on

out = Console()
err = Console(stderr=True)


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """A command whose expected errors become one red line and their exit code, and whose Ctrl-C becomes 130."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except LstRobustError as error:
            print_error(str(error))
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            print_error("interrupted; what was finished is kept, the same command goes on from there")
            raise typer.Exit(INTERRUPTED) from None
        except typer.Exit:
            raise
        except Exception as error:
            if os.environ.get("LST_ROBUST_DEBUG"):
                raise
            print_error(f"unexpected {type(error).__name__}: {error} (set LST_ROBUST_DEBUG=1 to see where)")
            raise typer.Exit(LstRobustError.exit_code) from error

    return run


def print_error(text: str) -> None:
    """An error on stderr, unwrapped so that it stays one line in logs."""
    err.print(f"[bold red]error:[/] {escape(text)}", soft_wrap=True, highlight=False)


def print_json(data: Any) -> None:
    """One JSON document on stdout; numbers unrounded, nothing but finite ones."""
    typer.echo(json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False))


class RichObserver:
    """Draws progress with time left and the running result; a line now and then where there is no terminal."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._title, self._total, self._done = "", 0.0, 0.0
        self._done_before, self._started, self._last_line = 0.0, 0.0, 0.0

    def note(self, text: str) -> None:
        err.print(escape(text), soft_wrap=True, highlight=False)

    def warn(self, text: str) -> None:
        err.print(f"[yellow]warning:[/] {escape(text)}", soft_wrap=True, highlight=False)

    def start(self, title: str, total: int, done: int = 0) -> None:
        self._title, self._total, self._done, self._done_before = title, total, done, done
        self._started = self._last_line = time.monotonic()
        if not err.is_terminal:
            self.note(f"{title}: {done} of {total} done")
            return
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[status]}"),
            console=err,
        )
        self._progress.start()
        self._task = self._progress.add_task(escape(title), total=total, completed=done, status="")

    def advance(self, steps: float = 1, status: str = "") -> None:
        self._done += steps
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=round(self._done, 6))
            if status:
                self._progress.update(self._task, status=escape(status))
        elif status and time.monotonic() - self._last_line > PLAIN_INTERVAL:
            self._last_line = time.monotonic()
            self.note(f"{self._title}: {self._done:.0f} of {self._total:.0f}, {self._time_left()} left, {status}")

    def _time_left(self) -> str:
        """From the mean speed since the start of this call."""
        speed = (self._done - self._done_before) / (time.monotonic() - self._started)
        return str(timedelta(seconds=round((self._total - self._done) / speed))) if speed > 0 else "?"

    def finish(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def __enter__(self) -> RichObserver:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()  # a bar must not stay on the screen under an error
