"""The command line: one file a command, each thin. Nothing imports from here."""

from lst_robust.cli.imports import installed_packages
from lst_robust.runtime.interruption import Interruption

__all__ = ["main"]


def main() -> None:
    """Entry point of the command `lst-robust`: a process that ends when this does."""
    Interruption.owns_process = True
    with Interruption():  # before the imports, so that Ctrl-C is never a traceback
        with installed_packages():
            from lst_robust.cli.app import app

        app()
