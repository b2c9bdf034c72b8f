"""`lst-robust report`: a page to look at and to show, or a figure for a paper."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from lst_robust.cli import options as opt
from lst_robust.cli.console import RichObserver, print_line, print_note
from lst_robust.cli.output import DASH, Output
from lst_robust.errors import UsageError
from lst_robust.reporting.figure_names import FORMATS, FigureFormat, FigureName, Width
from lst_robust.runtime.interruption import STARTS_ANEW

HELP = """Make a page of all measured networks: leaderboard, figures, and a page for each network.

The page is one folder of HTML files. It needs no network and no server, so it opens from disk and can be put anywhere.
With `--figure` one figure is written as a file for a paper, in place of the page.

**Examples**

- `lst-robust report --suite digits-c --out report`
- `lst-robust report --suite digits-c --out report --examples --baseline baseline.json`
- `lst-robust report --suite imagenet-c-jpeg --pages 10 --out report`
- `lst-robust report --suite imagenet-c-jpeg --published testbed --reference resnet50 --out report`
- `lst-robust report --suite digits-c --figure curves --out curves.pdf`
- `lst-robust report --suite digits-c --figure scatter --width page --format svg --out scatter.svg`
"""
WHEN_INTERRUPTED = STARTS_ANEW


Out = Annotated[
    str, typer.Option("--out", "-o", metavar="PATH", help="Folder for the pages; with --figure a file, or -.")
]
Reference = Annotated[
    str | None,
    typer.Option("--reference", metavar="MODEL", help="To which the others are compared.  [default: the best one]"),
]
BaselineFile = Annotated[
    Path | None, typer.Option("--baseline", metavar="FILE", help="Show first what changed since this baseline.")
]
Examples = Annotated[
    bool, typer.Option("--examples/--no-examples", help="Show images that flip, with what each network said.")
]
Pages = Annotated[
    int | None,
    typer.Option(
        "--pages",
        metavar="N",
        min=1,
        help="How many networks of each protocol have a page and are in the figures: the best ones.  [default: 50]",
    ),
]
Title = Annotated[str | None, typer.Option("--title", help="The title of the page.")]
Figure = Annotated[FigureName | None, typer.Option("--figure", help="Write this one figure instead.")]
Format = Annotated[
    FigureFormat | None,
    typer.Option("--format", "-f", help="The figure's format.  [default: as the file is called]"),
]
FigureWidth = Annotated[
    Width | None,
    typer.Option("--width", help="The figure's width: of a column or of a page.  [default: column]"),
]


def report_command(
    context: typer.Context,
    out: Out,
    suite: opt.SuiteOrAll = None,
    models: opt.Models = None,
    reference: Reference = None,
    baseline: BaselineFile = None,
    published: opt.Published = None,
    match: opt.Match = None,
    examples: Examples = False,
    pages: Pages = None,
    title: Title = None,
    figure: Figure = None,
    format_: Format = None,
    width: FigureWidth = None,
    data_dir: opt.DataDir = None,
    corrupted_dir: opt.CorruptedDir = None,
    normaliser: opt.Normaliser = "suite",
    results_dir: opt.ResultsDir = Path("results"),
) -> None:
    asked: dict[str, Any] = {
        "suite": suite,
        "models": models or (),
        "reference": reference,
        "published": published or (),
        "match": match or (),
        "normaliser": normaliser,
        "results_dir": results_dir,
        "data_dir": data_dir,
        "corrupted_dir": corrupted_dir,
    }
    if figure is not None:
        of_others = {
            "--baseline": baseline,
            "--title": title,
            "--examples": examples or None,
            "--pages": pages,
            "--data-dir": opt.unless_environment(context, "data_dir", data_dir),
            "--corrupted-dir": opt.unless_environment(context, "corrupted_dir", corrupted_dir),
            "--reference": None if figure == "forest" else reference,
            "--published": None if figure == "scatter" else published,
            "--match": None if figure == "scatter" else match,
        }
        _require_useful(f"the figure {figure} does not show it", of_others)
        _write_figure(out, figure, format_, width or "column", asked)
        return
    _require_useful("it belongs to --figure", {"--format": format_, "--width": width})
    if out == DASH:
        raise UsageError(f"--out {DASH}: a report is a folder of pages, and only a --figure goes there: give a folder")
    from lst_robust.report import write_report

    of_pages: dict[str, Any] = {} if pages is None else {"pages": pages}
    with RichObserver() as observer:
        index = write_report(
            out,
            **asked,
            baseline=baseline,
            examples=examples,
            **of_pages,
            title=title,
            command=shlex.join(["lst-robust", *sys.argv[1:]]),
            observer=observer,
        )
    print_line(f"{index}")
    print_note(f"wrote a page of each network beside it: open {index} in a browser")


def _require_useful(why: str, others: Mapping[str, object]) -> None:
    """UsageError for an option that would do nothing."""
    if given := [name for name, value in others.items() if value is not None]:
        raise UsageError(f"{given[0]}: {why}: leave it out")


def _write_figure(
    out: str, figure: FigureName, format_: FigureFormat | None, width: Width, asked: dict[str, Any]
) -> None:
    output = Output("--out", out, json=False)
    ending = Path(out).suffix.removeprefix(".").lower()
    if format_ is None and ending not in FORMATS:
        raise UsageError(f"--out {out!r}: its name does not say the format: give --format {', '.join(FORMATS)}")
    from lst_robust.report import figure_bytes

    output.write(figure_bytes(figure, format_ or ending, width=width, **asked))  # type: ignore[arg-type]
    output.say_written()


report_command.__doc__ = HELP
