"""`lst-robust compare`: two models on the same images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lst_robust.analysis.comparison import compare
from lst_robust.cli import options as opt
from lst_robust.cli.console import out, print_json, print_line, print_note
from lst_robust.reporting.views.comparison import caption, comparison_table, verdict

HELP = """Compare two measured models, image by image: mCE and every CE, with interval and p-value.

A and B are names as in the table. Where a model was trained with several seeds, runs of equal seed are paired, and the
mean difference is shown with its spread over seeds; `lst20@seed1` or `lst20@3fa9c1` (run or checkpoint) names one run.
Intervals: bootstrap over images, 95 %. p: sign-flip randomisation test; over corruptions corrected by Holm's method.
The last line adds the interval over trainings (Student's t on the seeds' differences).

**Examples**

- `lst-robust compare lst18 resnet18`
- `lst-robust compare lst20@seed1 resnet20@seed1 --suite cifar10-c --json`
"""


def compare_command(
    a: Annotated[str, typer.Argument(metavar="A", help="A model with records.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The one to compare it with.")],
    suite: opt.SuiteOrAll = None,
    normaliser: opt.Normaliser = "suite",
    results_dir: opt.ResultsDir = Path("results"),
    json: opt.Json = False,
) -> None:
    comparison = compare(a, b, suite=suite, normaliser=normaliser, results_dir=results_dir)
    if json:
        print_json(comparison.to_dict())
        return
    print_line(caption(comparison))
    out.print(comparison_table(comparison))
    print_line(verdict(comparison))
    for note in comparison.notes:
        print_note(note)


compare_command.__doc__ = HELP
