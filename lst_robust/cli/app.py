"""`lst-robust`: puts the commands together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from lst_robust._version import __version__
from lst_robust.cli.baseline import app as baseline_app
from lst_robust.cli.check import check_command
from lst_robust.cli.compare import compare_command
from lst_robust.cli.console import guarded
from lst_robust.cli.convert import convert_command
from lst_robust.cli.corrupt import corrupt_command
from lst_robust.cli.data import app as data_app
from lst_robust.cli.eval import eval_command
from lst_robust.cli.interruption import Interruption
from lst_robust.cli.migrate import migrate_command
from lst_robust.cli.models import models_command
from lst_robust.cli.show import show_command
from lst_robust.cli.suites import suites_command
from lst_robust.cli.table import table_command
from lst_robust.cli.train import train_command

EXIT_CODES = (
    "Exit codes: 0 fine, 1 regression found, 2 usage, 3 data, checkpoint or runtime failure, "
    "5 nothing to evaluate, 130 interrupted, 143 ended by SIGTERM."
)

app = typer.Typer(
    name="lst-robust",
    help="How robust is this image classifier? 19 corruptions, 5 severities, CE and mCE.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
COMMANDS: dict[str, Callable[..., None]] = {
    "eval": eval_command,
    "train": train_command,
    "corrupt": corrupt_command,
    "table": table_command,
    "compare": compare_command,
    "check": check_command,
    "show": show_command,
    "models": models_command,
    "convert": convert_command,
    "migrate": migrate_command,
    "suites": suites_command,
}
for name, command in COMMANDS.items():
    app.command(name)(guarded(command))
app.add_typer(baseline_app, name="baseline")
app.add_typer(data_app, name="data")


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


def main() -> None:
    """Entry point of the command `lst-robust`: a process that ends when this does."""
    Interruption.owns_process = True
    with Interruption():
        app()
