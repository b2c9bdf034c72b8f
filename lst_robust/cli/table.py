"""`lst-robust table`: the records of many models as one table like the paper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from lst_robust.analysis.networks import collect_summaries
from lst_robust.analysis.published import published_results
from lst_robust.analysis.statistics import Spread
from lst_robust.analysis.summary import IntervalsOf, Summary
from lst_robust.cli import options as opt
from lst_robust.cli.console import out, plain_text, print_json, print_note
from lst_robust.cli.output import Output
from lst_robust.errors import NothingToEvaluateError, UsageError
from lst_robust.reporting.render import Format, render
from lst_robust.reporting.seeds import over_seeds, seed_notes
from lst_robust.reporting.tables import robustness_table, with_paper
from lst_robust.runtime.allocator import keep_memory_mapped

HELP = """Make the table of all evaluated models, one row a model, grouped as in the paper's Table 4.

Rows of different protocols never share a group. The best value of each column is marked in each group.
Means have their 95 % intervals (bootstrap over images). Where a network was trained with several seeds, its row holds
the means over them, with ± their standard deviation; `--seeds` shows a row a training.

`--format latex` compiles as it stands, and a paper can `\\input` it. In CSV a text that begins with = + - or @ has an
apostrophe in front, so that no spreadsheet runs it.

`--published` shows other people's results below one's own: `robustbench`, `testbed` (imagenet-testbed), `paper`
(Table 4) and `hendrycks` (AlexNet). They are another protocol than any of ours, so nothing is ranked across.

**Examples**

- `lst-robust table`
- `lst-robust table --suite digits-c --format md --out table.md`
- `lst-robust table --suite digits-c --published paper`
- `lst-robust table --published testbed --published robustbench --match 'resnet*'`
- `lst-robust table --calibration`
- `lst-robust table --seeds`
"""


PLAIN = ("", ".txt")  # ends of names for the table as a terminal shows it
FORMAT_OF: dict[str, Format] = {".csv": "csv", ".md": "md", ".tex": "latex", ".html": "html"}


def table_command(
    suite: opt.SuiteOrAll = None,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format", "-f", help="rich, csv, md, latex or html.  [default: as the file of --out is called, or rich]"
        ),
    ] = None,
    out_file: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write to a file; - is standard output, as without it."),
    ] = None,
    paper: Annotated[bool, typer.Option("--paper/--no-paper", help="The same as --published paper.")] = False,
    published: opt.Published = None,
    match: opt.Match = None,
    intervals: Annotated[
        bool, typer.Option("--intervals/--no-intervals", help="Show the means' 95 % intervals over images.")
    ] = True,
    calibration: Annotated[
        bool,
        typer.Option(
            "--calibration/--no-calibration", help="Further columns: top-5 error, ECE (15 bins), Brier score."
        ),
    ] = False,
    seeds: Annotated[
        bool,
        typer.Option(
            "--seeds/--no-seeds", help="A row a training, in place of means over training seeds with ± their deviation."
        ),
    ] = False,
    normaliser: opt.Normaliser = "suite",
    results_dir: opt.ResultsDir = Path("results"),
    json: opt.Json = False,
) -> None:
    keep_memory_mapped()
    output = None if out_file is None else Output("--out", out_file, json=json)
    sets, patterns = with_paper(published or (), paper), match or ()
    others = published_results(sets, patterns, normaliser=normaliser)
    # a table shows those of its means alone, and the JSON has those of single CEs as well
    own = partial(_own, results_dir, suite, normaliser, intervals=intervals and (json or "metrics"))
    summaries = own(fold_seeds=not (seeds or json), needed=not others)
    if json:  # one object a run, whatever the table shows
        print_json(_with_spreads(summaries) + [result.to_dict() for result in others])
        if output is None:
            return
        summaries = summaries if seeds else own(fold_seeds=True, needed=False)
    table = robustness_table(
        summaries, published=sets, match=patterns, normaliser=normaliser, intervals=intervals, calibration=calibration
    )
    rendered = render(table, format_ or _format_of(out_file), notes=seed_notes(summaries) if seeds else ())
    if output is None and isinstance(rendered, str):
        typer.echo(rendered, nl=not rendered.endswith("\n"))
    elif output is None:
        out.print(rendered)
    else:
        if not isinstance(rendered, str):
            rendered = plain_text(rendered)
        output.write(rendered.encode(errors="backslashreplace"))  # a model's path may not be UTF-8
        output.say_written()


def _format_of(out_file: str | None) -> Format:
    """By the ending of the file's name; UsageError for one that names another format."""
    ending = Path(out_file or "").suffix.lower()
    if ending in PLAIN:
        return "rich"
    if ending not in FORMAT_OF:
        known = ", ".join(FORMAT_OF)
        raise UsageError(f"--out {out_file!r}: let the name end in {known} or .txt, or say the format with --format")
    return FORMAT_OF[ending]


def _own(
    results_dir: Path, suite: str | None, normaliser: str, *, intervals: IntervalsOf, fold_seeds: bool, needed: bool
) -> list[Summary]:
    """One's own rows. needed: whether none is an error, because there is nothing else to show."""
    try:
        return collect_summaries(results_dir, suite, normaliser, intervals=intervals, fold_seeds=fold_seeds)
    except NothingToEvaluateError as error:
        if needed:
            raise
        print_note(f"no rows of your own: {error}")
        return []


def _with_spreads(summaries: Sequence[Summary]) -> list[dict[str, Any]]:
    spreads = over_seeds(summaries)
    return [
        summary.to_dict() | {"over_seeds": _plain(found)} for summary, found in zip(summaries, spreads, strict=True)
    ]


def _plain(spreads: Mapping[str, Spread] | None) -> dict[str, Any] | None:
    return None if spreads is None else {name: found._asdict() for name, found in spreads.items()}


table_command.__doc__ = HELP
