"""`lst-robust check`: the gate for CI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lst_robust.analysis.baseline import read_baseline
from lst_robust.analysis.gate import Gate, check
from lst_robust.analysis.metrics import image_metrics
from lst_robust.cli import options as opt
from lst_robust.cli.console import print_error, print_json, print_note
from lst_robust.cli.output import Output, console_beside
from lst_robust.errors import DataError
from lst_robust.reporting.ci import github_annotations, junit_xml
from lst_robust.reporting.views.gate import gate_view

HELP = """Hold the current records against a committed baseline, and fail when a model got worse.

A model regresses (exit code 1) when its metric is worse by more than the tolerance, the 95 % interval of the paired
difference excludes zero, and p is below 0.05. A baseline that was written with `--no-bits` knows nothing of single
images, so there are no pairs and no p: the tolerance and the interval decide. A metric that the baseline does not have,
and several runs that fit one of its networks, are code 2. Missing cells, another protocol, suite version, normaliser or
other images are code 3, a model without records is code 5: nothing passes unseen. With several such findings 1 goes
before 3, and 3 before 5.

**Examples**

- `lst-robust check --baseline baseline.json`
- `lst-robust check --baseline baseline.json --metric mean_corruption_error --tolerance 1 --json`
- `lst-robust check --baseline baseline.json --suite digits-c --junit check.xml --github`
"""


def check_command(
    baseline: Annotated[
        Path, typer.Option("--baseline", envvar="LST_ROBUST_BASELINE", help="File of `lst-robust baseline write`.")
    ],
    results_dir: opt.ResultsDir = Path("results"),
    suite: opt.SuiteOrAll = None,
    model: opt.Models = None,
    metric: Annotated[
        str,
        typer.Option(
            "--metric",
            envvar="LST_ROBUST_METRIC",
            help=f"{', '.join(metric.name for metric in image_metrics())}.",
        ),
    ] = "mce15",
    tolerance: Annotated[
        float,
        typer.Option("--tolerance", envvar="LST_ROBUST_TOLERANCE", help="Percent points that it may be worse."),
    ] = 0.5,
    json: opt.Json = False,
    junit: Annotated[
        str | None,
        typer.Option("--junit", metavar="XML", help="Also write a JUnit XML report; - is standard output."),
    ] = None,
    github: Annotated[
        bool,
        typer.Option(
            "--github/--no-github", help="Also print GitHub annotations (on stderr with --json or --junit -)."
        ),
    ] = False,
) -> None:
    report = None if junit is None else Output("--junit", junit, json=json)
    people = console_beside(report)
    gate = check(
        read_baseline(baseline),
        results_dir=results_dir,
        suite=suite,
        models=model or (),
        metric=metric,
        tolerance=tolerance,
    )
    if json:
        print_json(gate.to_dict())
    else:
        people.print(gate_view(gate))
    _say_what_failed(gate)
    if github:
        for line in github_annotations(gate):
            typer.echo(line, err=json or people.stderr)
    if report is not None:
        _write_junit(report, gate)
    if gate.exit_code:
        raise typer.Exit(gate.exit_code)


def _say_what_failed(gate: Gate) -> None:
    for note in gate.notes:
        print_note(note)
    for finding in gate.findings:
        if finding.status != "passed":
            print_error(finding.message)


def _write_junit(report: Output, gate: Gate) -> None:
    try:
        report.write(junit_xml(gate))
    except DataError as error:  # what was found matters more
        print_error(str(error))
        raise typer.Exit(gate.exit_code or error.exit_code) from error


check_command.__doc__ = HELP
