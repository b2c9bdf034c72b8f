"""The command line: one file a command, each thin. Nothing imports from here."""

from lst_robust.cli.app import app, main

__all__ = ["app", "main"]
