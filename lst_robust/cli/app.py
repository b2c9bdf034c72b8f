"""`lst-robust`: puts the commands together. A command's file is imported when the command is called."""

from __future__ import annotations

from typing import Annotated

import typer

from lst_robust._version import __version__
from lst_robust.cli.lazy_group import SETTINGS, LazyGroup

EXIT_CODES = (
    "Exit codes: 0 fine, 1 regression found, 2 usage, 3 data, checkpoint or runtime failure, "
    "5 nothing to evaluate, 130 interrupted, 141 the reader of a pipe has gone, 143 ended by SIGTERM."
)

NEXT = """lst-robust measures how robust an image classifier is: 19 corruptions, 5 severities, CE and mCE.

What to do next:

  lst-robust doctor                is everything here that is needed?
  lst-robust eval --model lst18    a first measurement, on bundled images (the network is trained first, once)
  lst-robust table                 the table of all that was measured
  lst-robust eval -m net.py:build --checkpoint net.safetensors -s imagefolder --data-dir my-images
                                   your own network on your own images

All commands: lst-robust --help. All options of one: lst-robust eval --help.
Commands and options by the Tab key: lst-robust --install-completion.
"""

app = typer.Typer(
    cls=LazyGroup,
    name="lst-robust",
    help="How robust is this image classifier? 19 corruptions, 5 severities, CE and mCE.",
    epilog=EXIT_CODES,
    invoke_without_command=True,
    **SETTINGS | {"add_completion": True},  # of the whole program; commands below it need none of their own
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lst-robust {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(NEXT, nl=False)
