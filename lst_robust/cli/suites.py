"""`lst-robust suites`: what can be measured."""

from __future__ import annotations

from typing import Annotated

import typer
import yaml

from lst_robust.cli import options as opt
from lst_robust.cli.console import out, print_json
from lst_robust.reporting.escaping import terminal
from lst_robust.reporting.views.layout import plain_table
from lst_robust.suites import load_suite, suite_names

HELP = """List the suites, or check some of them (names or YAML files) and show all their settings.

**Examples**

- `lst-robust suites`
- `lst-robust suites digits-c --json`
- `lst-robust suites my-suite.yaml`
"""


def suites_command(
    names: Annotated[list[str] | None, typer.Argument(help="Names or YAML files; all that ship, by default.")] = None,
    json: opt.Json = False,
) -> None:
    suites = [load_suite(name) for name in names or suite_names()]
    if json:
        print_json([suite.model_dump(mode="json") | {"digest": suite.digest()} for suite in suites])
        return
    if names:
        for suite in suites:
            text = yaml.safe_dump(suite.model_dump(mode="json"), sort_keys=False)
            out.print(text, highlight=False, markup=False, soft_wrap=True)
        return
    table = plain_table()
    table.add_column("Suite", no_wrap=True)
    table.add_column("Pixels", justify="right")
    table.add_column("Normaliser", no_wrap=True)
    table.add_column("What it is")
    for suite in suites:
        normaliser = terminal(suite.normaliser.name if suite.normaliser else "none")
        table.add_row(terminal(suite.name), str(suite.image_size), normaliser, terminal(suite.description))
    out.print(table)


suites_command.__doc__ = HELP
