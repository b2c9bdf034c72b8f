"""`lst-robust data`: is the data of a suite there and whole, and fetching what can be fetched."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from lst_robust.cli import options as opt
from lst_robust.cli.console import guarded, out, print_error, print_json, print_line, print_note
from lst_robust.cli.lazy_group import command_group
from lst_robust.data.checks import Finding, verify
from lst_robust.data.download import download
from lst_robust.errors import DataError, UsageError
from lst_robust.reporting.escaping import terminal
from lst_robust.reporting.views.layout import plain_table
from lst_robust.runtime.cores import worker_count
from lst_robust.suites import load_suite

logger = logging.getLogger(__name__)

app = command_group("data")

SuiteName = Annotated[str, typer.Argument(metavar="SUITE", help="Name of a suite, or a YAML file.")]
DownloadDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="FOLDER",
        parser=opt.folder,
        envvar="LST_ROBUST_DATA_DIR",
        help="Folder to download into. Give it here, or by the variable.",
    ),
]

VERIFY_HELP = """Check a suite's data: counts, classes, every image readable, published checksums of what is there.

Of official corrupted sets every cell is opened, a sample of its images decoded, and its list of images compared with
the clean ones. Exit code 3 when something is wrong.

**Examples**

- `lst-robust data verify digits-c`
- `lst-robust data verify cifar10-c --data-dir data`
- `lst-robust data verify imagenet-c --data-dir imagenet --corrupted-dir /mnt/ImageNet-C --json`
"""

GET_HELP = """Download the clean images of a suite, where torchvision can, into the folder for `--data-dir`.

For all others the command says where to get them and how they must lie.

**Examples**

- `lst-robust data get cifar10-c --data-dir data`
- `lst-robust data get imagenet-c --data-dir imagenet`
"""


def verify_command(
    context: typer.Context,
    suite: SuiteName,
    data_dir: opt.DataDir = None,
    corrupted_dir: opt.CorruptedDir = None,
    workers: opt.Workers = None,
    json: opt.Json = False,
) -> None:
    resolved = load_suite(suite)
    corrupted_dir = opt.of_official_files(context, suite, corrupted_dir)
    if corrupted_dir is not None and resolved.protocol != "official":
        raise UsageError(
            f"suite {resolved.name!r} makes its corrupted images: leave out --corrupted-dir, or take a suite of "
            "official files, such as imagenet-c"
        )
    findings: list[Finding] = []
    for finding in verify(
        resolved.dataset,
        image_size=resolved.image_size,
        data_dir=data_dir,
        corrupted_dir=corrupted_dir,
        official=resolved.protocol == "official",
        corruptions=resolved.corruptions,
        workers=worker_count(workers),
    ):
        findings.append(finding)
        if not finding.ok:
            logger.warning("%s: %s", finding.what, finding.found)
    wrong = [finding for finding in findings if not finding.ok]
    if json:
        print_json({"suite": resolved.name, "ok": not wrong, "findings": [finding._asdict() for finding in findings]})
    else:
        table = plain_table("What", "Expected", "Found", "")
        table.columns[2].overflow = "fold"
        for finding in findings:
            texts = map(terminal, (finding.what, finding.expected, finding.found))  # which may quote names of files
            table.add_row(*texts, "ok" if finding.ok else "[red]wrong[/]")
        out.print(table)
    if wrong:
        print_error(f"{len(wrong)} of {len(findings)} checks of {resolved.name}'s data failed, first: {wrong[0].what}")
        raise typer.Exit(DataError.exit_code)


def get_command(suite: SuiteName, data_dir: DownloadDir = None, json: opt.Json = False) -> None:
    resolved = load_suite(suite)
    if data_dir is None:
        raise UsageError("say where the images shall lie, with --data-dir FOLDER")
    folder = download(resolved.dataset, data_dir)
    if resolved.protocol == "official":
        print_note(f"the corrupted images are not among them: see lst-robust suites {resolved.name}")
    if json:
        print_json({"suite": resolved.name, "data_dir": str(folder)})
    else:
        print_line(str(folder))


verify_command.__doc__, get_command.__doc__ = VERIFY_HELP, GET_HELP
app.command("verify")(guarded(verify_command))
app.command("get")(guarded(get_command))
