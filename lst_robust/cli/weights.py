"""`lst-robust weights`: the trained weights that this project publishes."""

from __future__ import annotations

from dataclasses import asdict

import typer

from lst_robust.cli import options as opt
from lst_robust.cli.console import out, print_error, print_json
from lst_robust.errors import CheckpointError
from lst_robust.reporting.escaping import terminal
from lst_robust.reporting.views.layout import plain_table
from lst_robust.weights import PREFIX, Found, PublishedWeights, published_weights, state_of

HELP = """List the weights that this project publishes, with their SHA-256, and where they are on this machine.

A name goes behind `published:` wherever a checkpoint is asked for. The file is looked for in the folder that
LST_ROBUST_PUBLISHED names, in the repository's `results`, and in `results` of the current folder. Its SHA-256 is
checked before it is loaded.

**Examples**

- `lst-robust weights`
- `lst-robust weights --json`
- `lst-robust eval -m lst18 --checkpoint published:lst18-digits-c`
- `lst-robust eval -m lst20 -s cifar10-jpeg --data-dir images --checkpoint published:lst20-cifar10-jpeg-seed0`
"""
SHOWN_DIGITS = 12  # of a SHA-256 in the table
STATES = {"whole": "here", "missing": "not here", "damaged": "[red]other bytes[/]"}


def weights_command(json: opt.Json = False) -> None:
    found = [(weights, state_of(weights)) for weights in published_weights()]
    if json:
        print_json([_facts(*one) for one in found])
    else:
        _show(found)
    if damaged := [str(where.file) for _, where in found if where.state == "damaged"]:
        print_error(*(f"{file} has not the published SHA-256: copy it again, or remove it" for file in damaged))
        raise typer.Exit(CheckpointError.exit_code)


def _facts(weights: PublishedWeights, where: Found) -> dict[str, object]:
    path = None if where.file is None else str(where.file)
    return asdict(weights) | {"checkpoint": f"{PREFIX}{weights.name}", "state": where.state, "path": path}


def _show(found: list[tuple[PublishedWeights, Found]]) -> None:
    table = plain_table()
    for head in ("Name", "Suite"):
        table.add_column(head, no_wrap=True)
    table.add_column("Bytes", justify="right", no_wrap=True)
    table.add_column("SHA-256", no_wrap=True)
    table.add_column("State", no_wrap=True)
    for weights, where in found:
        digits = f"{weights.sha256[:SHOWN_DIGITS]}..."
        table.add_row(terminal(weights.name), weights.suite, f"{weights.bytes:,}", digits, STATES[where.state])
    out.print(table)
    files = [where.file for _, where in found if where.file is not None]
    folders = ", ".join(dict.fromkeys(str(file.parent) for file in files))
    out.print("Found in", terminal(folders or "no folder: set LST_ROBUST_PUBLISHED to that of the files"), style="dim")
    out.print(f"To load: --checkpoint {PREFIX}NAME. Whole SHA-256, paths: lst-robust weights --json", style="dim")


weights_command.__doc__ = HELP
