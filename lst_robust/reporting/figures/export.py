"""Figures as files: PDF, SVG and PNG, equal byte for byte whenever they are made."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

from lst_robust.arguments import choice
from lst_robust.reporting.figure_names import FIGURES, FORMATS, FigureFormat
from lst_robust.reporting.figures.style import drawing

WITHOUT_DATE: dict[str, dict[str, None]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}


def as_bytes(figure: Figure, format: FigureFormat) -> bytes:
    """The content of a file. PDF has its fonts embedded as TrueType, PNG has 300 dots an inch and white paper."""
    choice("format", format, FORMATS)
    content = io.BytesIO()
    with drawing():
        facecolor = "white" if format == "png" else "none"
        figure.savefig(content, format=format, metadata=WITHOUT_DATE[format], facecolor=facecolor)
    return content.getvalue()


__all__ = ["FIGURES", "as_bytes"]
