"""`lst-robust models`: what can be built."""

from __future__ import annotations

from typing import Annotated

import typer

import lst_robust  # whose names are imported when they are used: --help does not wait for torch
from lst_robust.cli import options as opt
from lst_robust.cli.console import out, print_json
from lst_robust.reporting.escaping import terminal
from lst_robust.reporting.views.layout import plain_table

HELP = """List the models with their sizes, or some of them.

Parameters are counted as the network has them, and with the spatial transform T_s repeated for each channel, as the
paper counts (params_expanded). MACs are those of convolutions and linear layers at the stated input.

Networks of others are counted when they are named: `torchvision:NAME`, `timm:NAME`, `timm:hf_hub:OWNER/NAME`,
`hf:OWNER/NAME`, `open_clip:MODEL/TAG`, and `FILE.py:FUNCTION`, which runs that file's code. See `docs/networks.md`.

**Examples**

- `lst-robust models`
- `lst-robust models lst18 resnet18 --json`
- `lst-robust models torchvision:resnet50`
"""

LEGEND = "In millions. Exp.: parameters with T_s repeated for each channel. Paper:\nparameters / MACs as printed."
MORE = "Why a verdict is what it is: lst-robust models NAME"


def models_command(
    names: Annotated[list[str] | None, typer.Argument(help="Model names; all, by default.")] = None,
    json: opt.Json = False,
) -> None:
    rows = lst_robust.describe_models(names or lst_robust.model_names())
    if json:
        print_json(rows)
        return
    table = plain_table()
    table.add_column("Model", no_wrap=True)
    for head in ("Pixels", "Params", "Exp.", "MACs", "Paper"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("Verdict", overflow="fold")
    for row in rows:
        table.add_row(
            terminal(row["name"]),  # a path, of somebody's own
            str(row["input_size"]),
            f"{row['params'] / 1e6:.3f}",
            f"{row['params_expanded'] / 1e6:.3f}",
            f"{row['macs'] / 1e6:.1f}",
            f"{_printed(row['paper_params'])} / {_printed(row['paper_macs'])}",
            (row["verdict"] or "") if names else (row["verdict"] or "").partition(";")[0],
        )
    out.print(table)
    out.print(LEGEND if names else f"{LEGEND}\n{MORE}", style="dim")


def _printed(value: float | None) -> str:
    return "-" if value is None else f"{value / 1e6:g}"


models_command.__doc__ = HELP
