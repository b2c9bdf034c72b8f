"""What every command shares: where text goes, how progress is drawn, how an error becomes one line and a code.

Results go to stdout; progress, notes, warnings and errors to stderr, so that `--json` and pipes stay clean.
"""

from __future__ import annotations

import errno
import functools
import io
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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

from lst_robust.errors import LstRobustError, UsageError, message_of, one_line
from lst_robust.runtime.interruption import Interruption, check_interrupted
from lst_robust.runtime.rank import is_leader

P = ParamSpec("P")
R = TypeVar("R")

PIPE_CLOSED = 141  # as the shell says it of a program whose reader has gone (... | head)
MAX_REASON = 500  # characters of an error that was not expected
FILE_WIDTH = 160  # characters, of what is drawn for a terminal and goes to a file
PLAIN_INTERVAL = 30.0  # seconds between progress lines where there is no terminal to draw a bar on


class PipeConsole(Console):
    """A closed pipe is an error as elsewhere, see `guarded`; rich itself exits with 1, which means a regression."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


out = PipeConsole(emoji=False)  # a name may have :colons:
err = PipeConsole(emoji=False, stderr=True)


def plain_text(shown: object) -> str:
    """What the console would show, for a file: the same bytes wherever it is called, without colours."""
    text = io.StringIO()
    Console(file=text, width=FILE_WIDTH, emoji=False, color_system=None, force_terminal=False).print(shown)
    return text.getvalue()


def guarded(command: Callable[P, R], when_interrupted: str | None = None) -> Callable[P, R]:
    """A command whose expected errors become one red line and their exit code, and which Ctrl-C and SIGTERM end with
    one line, 130 and 143.

    when_interrupted: what that line says of the work, where it is not that the same command goes on.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        print_any_name()
        # PIL's, of images that are refused by name and with one line, and of some that are decoded all the same.
        warnings.filterwarnings("ignore", message=r"Image size \(\d+ pixels\) exceeds limit|Palette images with")
        try:
            with Interruption(when_interrupted), lines_on_stderr():
                check_interrupted()  # it may have come while modules were imported
                result = command(*args, **kwargs)
                Interruption.work_is_done()
                return result
        except LstRobustError as error:
            print_error(*str(error).splitlines())
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            if (line := Interruption.line()) is not None:
                print_error(line)
            raise typer.Exit(Interruption.exit_code()) from None
        except typer.Exit:
            raise
        except MemoryError as error:
            print_error("not enough memory: take a smaller --batch-size or fewer --workers, or free some")
            raise typer.Exit(LstRobustError.exit_code) from error
        except BrokenPipeError:
            leave_stdout()
            raise typer.Exit(PIPE_CLOSED) from None
        except Exception as error:
            if os.environ.get("LST_ROBUST_DEBUG"):
                raise
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.ENAMETOOLONG):
                print_not_written(error)
                too_long = error.errno == errno.ENAMETOOLONG
                raise typer.Exit(UsageError.exit_code if too_long else LstRobustError.exit_code) from error
            reason = message_of(error, MAX_REASON)
            print_error(f"unexpected {type(error).__name__}: {reason} (set LST_ROBUST_DEBUG=1 to see where)")
            raise typer.Exit(LstRobustError.exit_code) from error

    return run


def print_not_written(error: OSError) -> None:
    if error.errno == errno.ENOSPC:
        print_error(f"{error.strerror}: make room where results are kept, and where the output goes to")
    else:
        print_error(f"{error.filename or 'the output'} cannot be used ({error.strerror}): choose another place for it")


def leave_stdout() -> None:
    """What is still to be flushed goes nowhere, for nobody reads it."""
    with suppress(OSError, AttributeError):  # where it is closed, or no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class LineHandler(logging.Handler):
    """What the library says, as lines on stderr. Under torchrun one process speaks for all."""

    def emit(self, record: logging.LogRecord) -> None:
        if is_leader():
            mark = "[yellow]warning:[/] " if record.levelno >= logging.WARNING else ""
            err.print(f"{mark}{_plain(record.getMessage())}", soft_wrap=True, highlight=False)


@contextmanager
def lines_on_stderr() -> Iterator[None]:
    """Within it the lines that the library logs go to stderr, once each."""
    logger = logging.getLogger("lst_robust")
    if any(isinstance(handler, LineHandler) for handler in logger.handlers):
        yield
        return
    handler, level = LineHandler(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def print_any_name() -> None:
    """Characters that the terminal or pipe has no code for, such as those of a file name that is not UTF-8, are printed
    as escapes (in JSON, too, these are valid) instead of ending the command after its work is done."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_error(*lines: str) -> None:
    """An error on stderr, unwrapped so that it stays one line in logs; several where several mistakes were found."""
    text = "\n".join(map(_plain, lines))
    err.print(f"[bold red]error:[/] {text}", soft_wrap=True, highlight=False)


def print_note(text: str) -> None:
    """One line on stderr."""
    err.print(_plain(text), soft_wrap=True, highlight=False)


def print_line(text: str) -> None:
    """One line on stdout, unwrapped."""
    out.print(_plain(text), soft_wrap=True, highlight=False)


def _plain(text: str) -> str:
    """What a person named stays as it is: brackets in it are no markup, a line break no new line."""
    return escape(one_line(text))


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

    def start(self, title: str, total: int, done: int = 0) -> None:
        self._title, self._total, self._done, self._done_before = title, total, done, done
        self._started = self._last_line = time.monotonic()
        if not err.is_terminal:
            print_note(f"{title}: {done} of {total} done")
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
        self._task = self._progress.add_task(_plain(title), total=total, completed=done, status="")

    def advance(self, steps: float = 1, status: str = "") -> None:
        check_interrupted()
        self._done += steps
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=round(self._done, 6))
            if status:
                self._progress.update(self._task, status=_plain(status))
        elif status and time.monotonic() - self._last_line > PLAIN_INTERVAL:
            self._last_line = time.monotonic()
            print_note(f"{self._title}: {self._done:.0f} of {self._total:.0f}, {self._time_left()} left, {status}")

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
