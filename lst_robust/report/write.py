"""A report as a folder of pages: `index.html`, which opens from disk, and a page for each network."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typing_extensions import Unpack

from lst_robust._version import __version__
from lst_robust.analysis.baseline import Baseline
from lst_robust.arguments import optional, path, text, whole_number, yes_or_no
from lst_robust.errors import DataError, NothingToEvaluateError, UsageError
from lst_robust.records.record import utc_now
from lst_robust.report.changes import changes_since
from lst_robust.report.gather import gather
from lst_robust.report.measured import measured_networks, reference_of
from lst_robust.report.request import ReportOptions, ReportRequest, checked_baseline, require_known
from lst_robust.reporting.page.content import Report
from lst_robust.reporting.page.render import render_report
from lst_robust.runtime.files import remove, write_output
from lst_robust.runtime.progress import Observer, Silent, checked_observer

PAGES = 50  # each takes about a second, and a figure of more lines shows nothing
LONGEST = 80  # characters of a path in an error that is about its length
INDEX, NETWORKS = "index.html", "networks"
GENERATOR = b'<meta name="generator" content="lst-robust'
"""What tells a page of an earlier report from a file that is somebody's own."""


class PageOptions(ReportOptions, total=False):
    """baseline: a baseline or its file; what changed since stands first on the page.
    examples: thumbnails of images with what each network said, which needs the images.
    pages: how many networks of each protocol have a page, and stand in the figures: the best ones. The leaderboard has
        all.
    title: of the page.
    command: what the page says that it was made by.
    observer: receives progress.
    """

    baseline: str | Path | Baseline | None
    examples: bool
    pages: int
    title: str | None
    command: str | None
    observer: Observer | None


def write_report(out: str | Path, **options: Unpack[PageOptions]) -> Path:
    """Writes a report of the networks in a results folder, and gives back the path of its `index.html`.

    Args:
        out: the folder to write into. Pages of an earlier report in it are replaced.
        options: see `ReportOptions` and `PageOptions`.

    Raises:
        UsageError: an argument that cannot be meant.
        NothingToEvaluateError: no records, or none of a model that is named.
        DataError: the folder cannot be written.
    """
    folder = path("out", out)
    require_known(options, PageOptions.__annotations__)
    of_pages = {
        key: options.get(key) for key in PageOptions.__annotations__ if key not in ReportOptions.__annotations__
    }
    asked: Any = {key: value for key, value in options.items() if key not in of_pages}
    request = ReportRequest.of(**asked)
    baseline = checked_baseline(options.get("baseline"))
    examples = yes_or_no("examples", options.get("examples", False))
    pages = whole_number("pages", options.get("pages", PAGES), least=1)
    observer = optional(checked_observer, "observer", options.get("observer")) or Silent()
    title, command = (optional(text, key, options.get(key)) for key in ("title", "command"))
    check_folder(folder)
    with collected_warnings() as warnings:
        measured = measured_networks(request, predictions=True)
    changes = None if baseline is None else changes_since(baseline, _name_of(options.get("baseline")), request)
    if request.reference is not None and all(reference_of(one, request.reference) is None for one in measured):
        known = ", ".join(dict.fromkeys(label for one in measured for label, _ in one.labelled()))
        raise NothingToEvaluateError(f"no network {request.reference!r} to compare to: choose from {known}")
    make_folder(folder)
    sections, networks, notes = gather(measured, request, pages=pages, examples=examples, observer=observer)
    report = Report(
        title=title or f"Robustness: {', '.join(dict.fromkeys(one.name for one in measured))}",
        generated=utc_now().replace("T", " ").replace("+00:00", " UTC"),
        version=__version__,
        command=command or "lst_robust.write_report(...)",
        sections=tuple(sections),
        networks=tuple(networks),
        changes=changes,
        notes=(*(f"Warning: {warning}" for warning in warnings), *notes),
    )
    _write(folder, render_report(report))
    return folder / INDEX


def check_folder(folder: Path) -> None:
    """UsageError where a report cannot be written into it, or would replace a page that is somebody's own. Nothing is
    made yet."""
    try:
        if not_folder := [place for place in (folder, *folder.parents) if place.exists() and not place.is_dir()]:
            raise UsageError(f"--out {str(folder)!r}: {str(not_folder[0])!r} is a file: give a folder for the pages")
        index, networks = folder / INDEX, folder / NETWORKS
        if index.is_dir() or (networks.exists() and not networks.is_dir()):
            raise UsageError(
                f"--out {str(folder)!r}: {INDEX} there is no file, or {NETWORKS} no folder: choose another"
            )
        if index.exists() and not _is_ours(index):
            raise UsageError(f"--out {str(folder)!r} holds an {INDEX} that is no report: choose another folder")
    except OSError as error:
        raise UsageError(f"--out {str(folder)[:LONGEST]!r}: {error.strerror}: choose another folder") from error


def make_folder(folder: Path) -> None:
    """Before the work. UsageError where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"--out {str(folder)!r}: cannot be written ({error.strerror}): choose another folder"
        ) from error


class _Collector(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """The warnings that the library logs within it, such as of damaged records, each once. They are logged as well."""
    lines: list[str] = []
    logger, handler = logging.getLogger("lst_robust"), _Collector(lines)
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        lines[:] = dict.fromkeys(lines)


def _name_of(baseline: object) -> str:
    return Path(baseline).name if isinstance(baseline, (str, Path)) else "a baseline"


def _write(folder: Path, pages: Mapping[str, bytes]) -> None:
    """The index last, so that it never links to what is not there."""
    for name in sorted(pages, key=lambda name: name == INDEX):
        write_output(folder / name, pages[name])
    for file in sorted((folder / NETWORKS).glob("*.html")):
        if f"{NETWORKS}/{file.name}" not in pages and _is_ours(file):
            remove(file)


def _is_ours(file: Path) -> bool:
    """Whether a page was written by an earlier report."""
    try:
        with file.open("rb") as opened:
            return GENERATOR in opened.read(4096)
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}): remove it by hand") from error
