"""`lst-robust baseline`: the file that `lst-robust check` holds later records against."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lst_robust.analysis.baseline import make_baseline, to_json
from lst_robust.analysis.selection import label
from lst_robust.cli import options as opt
from lst_robust.cli.console import guarded, print_json, print_line, print_note
from lst_robust.cli.lazy_group import command_group
from lst_robust.cli.output import Output

app = command_group("baseline")

WRITE_HELP = """Write the current records as a baseline: errors of every cell, and which images were right.

The file is JSON, about 15 kB for each model at 500 images, and the same for the same records: commit it.

**Examples**

- `lst-robust baseline write --out baseline.json`
- `lst-robust baseline write --suite digits-c --model lst18 --out baseline.json`
- `lst-robust baseline write --model lst20@seed1 --out baseline.json --no-bits`
"""


def write_command(
    out_file: Annotated[
        str, typer.Option("--out", "-o", metavar="FILE", help="The JSON file to write; - is standard output.")
    ],
    results_dir: opt.ResultsDir = Path("results"),
    suite: opt.SuiteOrAll = None,
    model: opt.Models = None,
    bits: Annotated[
        bool, typer.Option("--bits/--no-bits", help="Keep which images were right, for the paired comparison.")
    ] = True,
    json: opt.Json = False,
) -> None:
    output = Output("--out", out_file, json=json)
    baseline = make_baseline(results_dir, suite=suite, models=model or (), bits=bits)
    output.write(to_json(baseline))
    if json:
        runs = [
            {"suite": entry.protocol.suite, "run": label(entry.run), "cells": len(entry.errors)}
            for entry in baseline.entries
        ]
        print_json({"baseline": output.path, "runs": runs})
        return
    if not output.is_stdout:
        print_line(output.path)
    for entry in baseline.entries:
        cells = f"{len(entry.errors)} cells, n {entry.protocol.n}"
        print_note(f"{label(entry.run)} on {entry.protocol.suite}: {cells}")


write_command.__doc__ = WRITE_HELP


@app.callback()
def _group() -> None: ...  # keeps `write` a command of its own while it is the only one


app.command("write")(guarded(write_command))
