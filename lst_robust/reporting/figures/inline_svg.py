"""A figure as a part of an HTML page."""

from __future__ import annotations

from matplotlib.figure import Figure


def inline_svg(figure: Figure, *, description: str, prefix: str) -> str:
    """The figure as an <svg> element that may stand in an HTML page with a strict Content-Security-Policy: no style
    attribute, no <style>, no script, nothing from elsewhere. It has the width of what is around it.

    description: its text alternative. prefix: what its ids begin with, other in each figure of a page: a letter, then
    letters, digits, - and _. Colours are CSS variables: --ink, --faint, --grid, --paper, --rest, --series-1 to
    --series-8 (see `palette.LIGHT` and `palette.DARK`). An artist with the gid "tip:TEXT" has TEXT as its tooltip.
    """
    raise NotImplementedError
