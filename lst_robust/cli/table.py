"""`lst-robust table`: the records of many models as one table like the paper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lst_robust.analysis.collect import collect_summaries
from lst_robust.analysis.statistics import Spread
from lst_robust.analysis.summary import Summary
from lst_robust.cli import options as opt
from lst_robust.cli.console import out, print_json
from lst_robust.cli.output import Output
from lst_robust.reporting.render import Format, render
from lst_robust.reporting.seeds import over_seeds, seed_notes
from lst_robust.reporting.tables import robustness_table

HELP = """Make the table of all evaluated models, one row a model, grouped as in the paper's Table 4.

Rows of different protocols never share a group. The best value of each column is marked in each group.
Means have their 95 % intervals (bootstrap over images); below the table stands the spread over training seeds.

**Examples**

- `lst-robust table`
- `lst-robust table --suite digits-c --format md --out table.md`
- `lst-robust table --suite digits-c --paper`
- `lst-robust table --calibration`
"""


def table_command(
    suite: opt.SuiteOrAll = None,
    format_: Annotated[Format, typer.Option("--format", "-f", help="rich, csv, md, latex or html.")] = "rich",
    out_file: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write to a file; - is standard output, as without it."),
    ] = None,
    paper: Annotated[
        bool, typer.Option("--paper/--no-paper", help="Also show the paper's printed Table 4, another protocol.")
    ] = False,
    intervals: Annotated[
        bool, typer.Option("--intervals/--no-intervals", help="Show the means' 95 % intervals over images.")
    ] = True,
    calibration: Annotated[
        bool,
        typer.Option(
            "--calibration/--no-calibration", help="Further columns: top-5 error, ECE (15 bins), Brier score."
        ),
    ] = False,
    normaliser: opt.Normaliser = "suite",
    results_dir: opt.ResultsDir = Path("results"),
    json: opt.Json = False,
) -> None:
    output = None if out_file is None else Output("--out", out_file, json=json)
    summaries = collect_summaries(results_dir, suite, normaliser, intervals=intervals)
    if json:
        print_json(_with_spreads(summaries))
        if output is None:
            return
    table = robustness_table(summaries, paper=paper, intervals=intervals, calibration=calibration)
    rendered = render(table, format_, notes=seed_notes(summaries))
    if output is None and isinstance(rendered, str):
        typer.echo(rendered, nl=not rendered.endswith("\n"))
    elif output is None:
        out.print(rendered)
    else:
        if not isinstance(rendered, str):
            with out.capture() as capture:
                out.print(rendered)
            rendered = capture.get()
        output.write(rendered.encode(errors="backslashreplace"))  # a model's path may not be UTF-8
        output.say_written()


def _with_spreads(summaries: Sequence[Summary]) -> list[dict[str, Any]]:
    spreads = over_seeds(summaries)
    return [
        summary.to_dict() | {"over_seeds": _plain(found)} for summary, found in zip(summaries, spreads, strict=True)
    ]


def _plain(spreads: Mapping[str, Spread] | None) -> dict[str, Any] | None:
    return None if spreads is None else {name: found._asdict() for name, found in spreads.items()}


table_command.__doc__ = HELP
