"""The words with which a figure is asked for. They need no matplotlib, so that help texts start at once."""

from __future__ import annotations

from typing import Literal, get_args

FigureName = Literal["curves", "heatmap", "scatter", "forest", "seeds", "reliability", "agreement"]
FigureFormat = Literal["pdf", "svg", "png"]
Width = Literal["column", "page"]

FIGURES: tuple[str, ...] = get_args(FigureName)
"""Each is a module of `lst_robust.reporting.figures`."""
FORMATS: tuple[str, ...] = get_args(FigureFormat)
WIDTHS: tuple[str, ...] = get_args(Width)
"""One column of a paper with two columns, or the whole width of its page."""
