"""`lst-robust migrate`: the records of earlier releases, in the form of today's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lst_robust.cli import options as opt
from lst_robust.cli.console import print_json, print_line, print_note
from lst_robust.errors import NothingToEvaluateError
from lst_robust.records.migration import migrate

HELP = """Pack the records of earlier releases, one file a cell, into one file a run.

The numbers stay as they are. What was packed is removed, what cannot be trusted stays where it is and is named.

**Examples**

- `lst-robust migrate results`
- `lst-robust migrate results --json`
"""


def migrate_command(
    results_dir: Annotated[Path, typer.Argument(metavar="RESULTS", parser=opt.folder, help="The results folder.")],
    json: opt.Json = False,
) -> None:
    if not results_dir.is_dir():
        raise NothingToEvaluateError(f"no results folder {results_dir}: give the one that lst-robust eval has written")
    migrated = migrate(results_dir)
    if json:
        runs = [str(path) for path in migrated.runs]
        print_json({"runs": runs, "cells": migrated.cells, "left": [str(path) for path in migrated.left]})
        return
    for path in migrated.runs:
        print_line(str(path))
    print_note(
        f"packed {migrated.cells} cells of {len(migrated.runs)} runs; {len(migrated.left)} files left as they are"
    )


migrate_command.__doc__ = HELP
