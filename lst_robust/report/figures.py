"""A single figure for a paper or a talk."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import Unpack

from lst_robust.arguments import choice, path
from lst_robust.report.measured import in_memory, measured_networks, only_one
from lst_robust.report.request import ReportOptions, ReportRequest
from lst_robust.reporting.figure_names import FIGURES, FORMATS, WIDTHS, FigureFormat, Width
from lst_robust.runtime.files import check_output, write_output


def write_figure(
    out: str | Path,
    figure: str,
    *,
    format: FigureFormat | None = None,
    width: Width = "column",
    **options: Unpack[ReportOptions],
) -> Path:
    """Draws one figure of the networks of a results folder and writes it as a file, whose path is given back.

    Args:
        figure: curves, heatmap, scatter, forest, seeds, reliability or agreement.
        format: pdf, svg or png; default: what the file's name ends with.
        width: of a column of a paper (3.4 inches), or of a page (7 inches).
        options: as for `write_report`.

    Raises:
        UsageError: an argument that cannot be meant, or matplotlib is missing.
        NothingToEvaluateError: no records, nothing to show in this figure, or records of several protocols.
        DataError: the file cannot be written.
    """
    file = path("out", out)
    check_output("out", file)
    content = figure_bytes(figure, format or _format_of(file), width=width, **options)
    write_output(file, content)
    return file


def figure_bytes(
    figure: str, format: FigureFormat = "pdf", *, width: Width = "column", **options: Unpack[ReportOptions]
) -> bytes:
    """The content of such a file; see `write_figure`."""
    choice("figure", figure, FIGURES)
    choice("format", format, FORMATS)
    choice("width", width, WIDTHS)
    request = ReportRequest.of(**options)
    from lst_robust.report.drawings import Drawer
    from lst_robust.reporting.figures.export import as_bytes

    measured = in_memory(only_one(measured_networks(request)))
    return as_bytes(Drawer(measured, request).drawing(figure).draw(width), format)


def _format_of(file: Path) -> FigureFormat:
    ending = file.suffix.removeprefix(".").lower()
    return choice("format", ending, FORMATS)  # type: ignore[return-value]
