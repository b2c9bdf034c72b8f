"""Where a command's document goes: a file, a pipe, a device, or standard output."""

from __future__ import annotations

import sys
from pathlib import Path

import typer
from rich.console import Console

from lst_robust.cli.console import err, out, print_note
from lst_robust.errors import DataError, UsageError
from lst_robust.runtime.files import check_output, write_output

DASH = "-"  # the name of standard output; a file of that name is ./-


class Output:
    """The destination of one document, which is looked at before the work. Where it is standard output, what is meant
    for people goes to stderr."""

    def __init__(self, option: str, path: str, *, json: bool) -> None:
        """UsageError where nothing can be written there, and where the JSON of --json goes there already."""
        self.path = path
        if path == DASH:
            self.is_stdout = True
            if sys.stdout is None:
                raise UsageError(f"{option} {DASH}: standard output is closed: give a file")
        else:
            self.is_stdout = check_output(option, Path(path)).is_stdout
        if json and self.is_stdout:
            raise UsageError(f"{option} {path!r}: --json prints to standard output too: give a file, or leave one out")

    def write(self, document: bytes) -> None:
        """Raises DataError when the disk refuses, BrokenPipeError when a reader has gone."""
        if not self.is_stdout:
            write_output(Path(self.path), document)
            return
        try:
            typer.echo(document, nl=False)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise DataError(f"standard output cannot be written ({error.strerror}): give a file") from error

    def say_written(self) -> None:
        """One line on stderr, for files."""
        if not self.is_stdout:
            print_note(f"wrote {self.path}")


def console_beside(output: Output | None) -> Console:
    """For what people read: stdout, unless a document goes there."""
    return err if output is not None and output.is_stdout else out
