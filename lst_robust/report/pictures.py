"""Drawings as pictures of a page. matplotlib is not installed with the package itself: a page without it has none."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from markupsafe import Markup

from lst_robust.analysis.networks import MeasuredNetwork
from lst_robust.errors import NothingToEvaluateError, one_line
from lst_robust.report.measured import Measured
from lst_robust.report.request import ReportRequest
from lst_robust.reporting.page.content import DataTable, Picture

if TYPE_CHECKING:
    from lst_robust.report.drawings import Drawing

NAMES = ("heatmap", "scatter", "curves", "forest", "reliability", "agreement", "seeds")
"""The figures of a protocol, in the order of the page: those of like height stand side by side."""
WITHOUT_A_WORD = ("seeds",)  # most networks are trained once
WHY_NONE = "This page has no figures, because matplotlib was not installed: pip install 'lst-robust[report]'"


def can_draw() -> bool:
    return find_spec("matplotlib") is not None


def pictures_of(
    measured: Measured, request: ReportRequest, drawn: Callable[[str], None]
) -> tuple[list[Picture], list[str]]:
    """Those of `NAMES` that have something to show, and of several networks a line for each other one that says why it
    is not there. drawn: is told each name before it is drawn."""
    from lst_robust.report.drawings import Drawer

    drawer, found, missing = Drawer(measured, request), [], []
    for name in NAMES:
        drawn(name)
        try:
            found.append(_picture(drawer.drawing(name)))
        except NothingToEvaluateError as error:
            if len(measured.networks) > 1 and name not in WITHOUT_A_WORD:
                missing.append(f"No figure {name}: {one_line(str(error))}.")
    return found, missing


def own_pictures(label: str, network: MeasuredNetwork) -> list[Picture]:
    """Those of a network's own page."""
    from lst_robust.report.network_drawings import own_drawings

    return [_picture(drawing) for drawing in own_drawings(label, network)]


def _picture(drawing: Drawing) -> Picture:
    from lst_robust.reporting.figures.inline_svg import inline_svg

    svg = inline_svg(drawing.draw("page"), description=drawing.description, prefix=drawing.name)
    data = DataTable(drawing.data[0], drawing.data[1:]) if drawing.data else None
    return Picture(Markup(svg), drawing.title, drawing.description, drawing.caption, data)
