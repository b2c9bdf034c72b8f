"""Figures as files: PDF, SVG and PNG, equal byte for byte whenever they are made."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib.figure import Figure

from lst_robust.arguments import choice
from lst_robust.reporting.figure_names import FORMATS, FigureFormat
from lst_robust.reporting.figures.names import TIP
from lst_robust.reporting.figures.style import drawing

WITHOUT_DATE: dict[str, dict[str, None]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}


def as_bytes(figure: Figure, format: FigureFormat) -> bytes:
    """The content of a file. PDF has its fonts embedded as TrueType, PNG has 300 dots an inch and white paper."""
    choice("format", format, FORMATS)
    with drawing(), _without_tips(figure):
        return saved(figure, format)


def saved(figure: Figure, format: FigureFormat) -> bytes:
    """The same within `drawing`, with the tooltips as ids of an SVG's elements."""
    content = io.BytesIO()
    facecolor = "white" if format == "png" else "none"
    figure.savefig(content, format=format, metadata=WITHOUT_DATE[format], facecolor=facecolor)
    return content.getvalue()


@contextmanager
def _without_tips(figure: Figure) -> Iterator[None]:
    """They are no names that an SVG's id may have, and a file for a paper has no use for them."""
    tips = [(artist, gid) for artist in figure.findobj() if (gid := artist.get_gid() or "").startswith(TIP)]
    for artist, _ in tips:
        artist.set_gid(None)
    try:
        yield
    finally:
        for artist, gid in tips:
            artist.set_gid(gid)
