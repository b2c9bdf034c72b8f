"""`lst-robust merge`: the results of several machines in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lst_robust.cli import options as opt
from lst_robust.cli.console import RichObserver, print_json, print_line, print_note
from lst_robust.errors import DataError, UsageError
from lst_robust.records.merging import Merged, merge_results

HELP = """Copy the runs and checkpoints of several results folders into one.

The cells of one run that were measured in several places are united. Every file is checked when it is read and after it
is written. A second call writes nothing, and a call that was interrupted goes on. The folders may be in use.

A cell that is there twice must have the same outcome. Otherwise it is named, and nothing of its run is written, until
`--prefer newest` takes the measurement that was finished last. Damaged files are named and left where they are. In both
cases the rest is merged, and the exit code is 3.

**Examples**

- `lst-robust merge node1/results node2/results --into results`
- `lst-robust merge results node2/results --into results`
- `lst-robust merge node*/results --into all --dry-run`
"""


def merge_command(
    results: Annotated[list[str], typer.Argument(metavar="RESULTS", help="The results folders to read.")],
    into: Annotated[
        str,
        typer.Option("--into", metavar="FOLDER", help="The results folder that gets all; may be one of the others."),
    ],
    prefer: Annotated[
        Literal["newest"] | None,
        typer.Option("--prefer", help="Of a cell with two outcomes take the one that was measured last."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run/--no-dry-run", help="Say what would be done, and write nothing.")
    ] = False,
    json: opt.Json = False,
) -> None:
    if not all((into, *results)):
        raise UsageError("a folder's name is empty: give a folder, or . for this one")
    with RichObserver() as observer:
        merged = merge_results(map(Path, results), Path(into), prefer=prefer, dry_run=dry_run, observer=observer)
    if json:
        print_json(merged.to_dict())
    else:
        for path in (*merged.written, *merged.checkpoints):
            print_line(str(path))
        print_note(_said(merged))
    if not merged.complete:
        conflicts, left = len(merged.conflicts), len(merged.left)
        raise DataError(f"{conflicts} cells have two outcomes and {left} files or folders cannot be trusted: see above")


def _said(merged: Merged) -> str:
    would = "would merge" if merged.dry_run else "merged"
    replaced = f" ({merged.replaced} in place of older ones)" if merged.replaced else ""
    return (
        f"{would} {merged.cells} cells{replaced} of {len(merged.written)} runs and {len(merged.checkpoints)} "
        f"checkpoints into {merged.into}; {merged.equal} cells and {merged.equal_checkpoints} checkpoints were there"
    )


merge_command.__doc__ = HELP
