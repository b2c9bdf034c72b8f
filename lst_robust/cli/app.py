"""`lst-robust`: puts the commands together. A command's file is imported when the command is called."""

from __future__ import annotations

from typing import Annotated

import typer

from lst_robust._version import __version__
from lst_robust.cli.lazy_group import SETTINGS, LazyGroup

EXIT_CODES = (
    "Exit codes: 0 fine, 1 regression found, 2 usage, 3 data, checkpoint or runtime failure, "
    "5 nothing to evaluate, 130 interrupted, 143 ended by SIGTERM."
)

app = typer.Typer(
    cls=LazyGroup,
    name="lst-robust",
    help="How robust is this image classifier? 19 corruptions, 5 severities, CE and mCE.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    **SETTINGS,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lst-robust {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None: ...
