"""The commands by name, each in a module that is imported when the command is called or asked for its help."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from lst_robust.cli.console import (
    PIPE_CLOSED,
    guarded,
    leave_stdout,
    print_any_name,
    print_error,
    print_not_written,
)
from lst_robust.cli.imports import installed_packages
from lst_robust.errors import LstRobustError, UsageError

COMMANDS = {
    "eval": "Measure a model on a suite: clean error, 19 corruptions at 5 severities, CE and mCE.",
    "train": "Train a model by a suite's recipe and write a safetensors checkpoint.",
    "corrupt": "Write a corrupted copy of an image set: in the layout of ImageNet-C or CIFAR-C, or as tar shards.",
    "table": "Make the table of all evaluated models, one row a model, grouped as in the paper's Table 4.",
    "report": "Make a page of all measured networks: leaderboard, figures, and a page for each network.",
    "compare": "Compare two measured models, image by image: mCE and every CE, with interval and p-value.",
    "features": "Look at the features inside of networks: how sparse they are, and how far corruptions move them.",
    "check": "Hold the current records against a committed baseline, and fail when a model got worse.",
    "show": "Show what one cell's record holds: the numbers, and how they came about.",
    "models": "List the models with their sizes, or some of them.",
    "weights": "List the weights that this project publishes, with their SHA-256, and where they are on this machine.",
    "convert": "Load a checkpoint strictly into a model and write it as safetensors, with its origin in the header.",
    "merge": "Copy the runs and checkpoints of several results folders into one.",
    "migrate": "Pack the records of earlier releases, one file a cell, into one file a run.",
    "suites": "List the suites, or check some of them (names or YAML files) and show all their settings.",
    "baseline": "Write the baseline that lst-robust check compares with.",
    "engines": "Measure how many images a second the CPU's engine and torch's engine corrupt on this machine.",
    "doctor": "Look whether this machine has what is needed: packages, devices, compilers, caches, folders.",
    "data": "Check the data of a suite, or download it.",
}
"""Name of a command, and of its module in lst_robust.cli -> what it does, for the list of commands."""
COMPLETIONS = (["--install-completion"], ["--show-completion"])  # which fail with 1, and that means a regression
BAD_INPUT: type[Any] = typer.BadParameter.__mro__[1]  # click's UsageError, wherever typer keeps click

SETTINGS: dict[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": "markdown",
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class LazyGroup(TyperGroup):
    """Commands that stand for themselves in the list of commands, and are loaded when they are called.

    Wrong options are one line on stderr, as all errors are.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name, help=text) for name, text in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        _require_current_folder()
        return name, command if name is None else loaded(name), rest

    def main(self, args: Any = None, *, standalone_mode: bool = True, **settings: Any) -> Any:  # type: ignore[override]
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **settings)
        print_any_name()
        try:
            code = super().main(args, standalone_mode=False, **settings)
            if code == 1 and _asks_for_completion(args):
                code = _unknown_shell()
        except BAD_INPUT as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()
            else:
                text = " ".join(error.format_message().split()).replace(": Value error, ", ": ")
                print_error(f"{text} (see {_command_of(error, args)} --help)")
            code = error.exit_code
        except SystemExit as error:  # click and rich leave with 1, which means a regression, where the reader has gone
            if not isinstance(error.__context__, BrokenPipeError):
                raise
            leave_stdout()
            code = PIPE_CLOSED
        except OSError as error:  # of the help on a full disk, of the Tab key's file in a home that is read-only
            leave_stdout()
            if error.errno is None and _asks_for_completion(args):  # an old Typer passes on that no shell is found
                code = _unknown_shell()
            else:
                print_not_written(error)
                code = LstRobustError.exit_code
        sys.exit(code if isinstance(code, int) else 0)


def _asks_for_completion(args: Sequence[str] | None) -> bool:
    return list(sys.argv[1:] if args is None else args)[:1] in COMPLETIONS


def _unknown_shell() -> int:
    print_error("the shell is not one that Typer knows: call this from bash, zsh, fish or PowerShell")
    return UsageError.exit_code


def _require_current_folder() -> None:
    """Where it has been removed, torch itself ends the process when it is imported."""
    try:
        os.getcwd()
    except FileNotFoundError as error:
        print_error("the folder in which this is called has been removed: change into another one, and call again")
        raise typer.Exit(LstRobustError.exit_code) from error


def _command_of(error: Any, args: Sequence[str] | None) -> str:
    """The command that was called with wrong options, as in a shell. An error of the parser does not know it, and has
    no context."""
    if error.ctx is not None:
        below = error.ctx.command_path.removeprefix(error.ctx.find_root().command_path)
        return f"lst-robust{below}"
    name, *rest = [*(sys.argv[1:] if args is None else args), ""]
    if name not in COMMANDS:
        return "lst-robust"
    further = getattr(loaded(name), "commands", {})
    return f"lst-robust {name} {rest[0]}" if rest[0] in further else f"lst-robust {name}"


def loaded(name: str) -> Any:
    """The command of that name, from its module: a function `<name>_command`, or a Typer `app` with commands. A module
    may say as WHEN_INTERRUPTED what the line after Ctrl-C says of the work, see `guarded`."""
    with installed_packages():
        module = import_module(f"lst_robust.cli.{name}")
    if hasattr(module, "app"):
        return typer.main.get_command(module.app)
    single = typer.Typer(**SETTINGS)
    single.command(name)(guarded(getattr(module, f"{name}_command"), getattr(module, "WHEN_INTERRUPTED", None)))
    return typer.main.get_command(single)


def command_group(name: str) -> typer.Typer:
    """For a module with several commands below one name, which are then added to it."""
    return typer.Typer(help=COMMANDS[name], no_args_is_help=True, **SETTINGS)
