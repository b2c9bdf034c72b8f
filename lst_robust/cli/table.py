"""`lst-robust table`: the records of many models as one table like the paper's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lst_robust.cli import options as opt
from lst_robust.cli.console import RichObserver, err, out, print_json

Format = Literal["rich", "csv", "md", "latex", "html"]

HELP = """Make the table of all evaluated models, one row a model, grouped as in the paper's Table 4.

Rows of different protocols never share a group. The best value of each column is marked in each group.

**Examples**

- `lst-robust table`
- `lst-robust table --suite digits-c --format md --out table.md`
- `lst-robust table --suite digits-c --paper`
"""


def table_command(
    suite: Annotated[
        str | None, typer.Option("--suite", "-s", envvar="LST_ROBUST_SUITE", help="Name or YAML file.  [default: all]")
    ] = None,
    format_: Annotated[Format, typer.Option("--format", "-f", help="rich, csv, md, latex or html.")] = "rich",
    out_file: Annotated[Path | None, typer.Option("--out", "-o", help="Write to a file instead of stdout.")] = None,
    paper: Annotated[
        bool, typer.Option("--paper/--no-paper", help="Also show the paper's printed Table 4, another protocol.")
    ] = False,
    normaliser: Annotated[
        str,
        typer.Option(
            "--normaliser", envvar="LST_ROBUST_NORMALISER", help="suite, none, alexnet-imagenet-c, or a YAML file."
        ),
    ] = "suite",
    results_dir: opt.ResultsDir = Path("results"),
    json: opt.Json = False,
) -> None:
    from lst_robust.evaluation.collect import collect_summaries

    observer = RichObserver()
    summaries = collect_summaries(results_dir, suite, normaliser, observer.warn)
    if json:
        print_json(summaries)
        return
    from lst_robust.files import write_atomic
    from lst_robust.reporting import render, robustness_table

    table = robustness_table(summaries, paper=paper)
    rendered = render(table, format_)
    if out_file is None and isinstance(rendered, str):
        typer.echo(rendered, nl=not rendered.endswith("\n"))
    elif out_file is None:
        out.print(rendered)
    else:
        if not isinstance(rendered, str):
            with out.capture() as capture:
                out.print(rendered)
            rendered = capture.get()
        write_atomic(out_file, rendered.encode())
        err.print(f"wrote {out_file}", soft_wrap=True, highlight=False)


table_command.__doc__ = HELP
