"""Colours, markers and dashes: what tells networks apart. Colour is never the only cue.

The first four series colours start from Okabe and Ito ("Color Universal Design", 2008), darker where they are too light
for thin lines on white paper. The other four were searched so that all eight differ as much as the first four do, also
for eyes that lack one kind of cone: by 6 or more (CIEDE2000). All have a contrast of 3:1 against the paper.
"""

from __future__ import annotations

from typing import NamedTuple

INK, FAINT, GRID, PAPER = "#1d2733", "#5f6b78", "#d9dee4", "#ffffff"
REST = "#a9b2bc"
"""Of networks that stand in the background."""
SERIES: tuple[str, ...] = ("#0072b2", "#d55e00", "#00875f", "#b0508f", "#3b0aed", "#100a3b", "#145d0e", "#6f8e4b")
MARKERS: tuple[str, ...] = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
DASHES: tuple[tuple[float, ...], ...] = ((), (4, 1.4), (1.2, 1.2), (5, 1.2, 1.2, 1.2))
"""Lengths of ink and of gaps, in line widths; none is a solid line."""
ON_LIGHT, ON_DARK = "#050505", "#fefefe"
"""Of numbers on the cells of a matrix. These colours do not follow a page's dark mode, because the cells do not."""

DARK: dict[str, str] = {
    "ink": "#e6eaef",
    "faint": "#9aa6b2",
    "grid": "#333c47",
    "paper": "#12161b",
    "rest": "#5d6875",
    **{
        f"series-{number}": colour
        for number, colour in enumerate(
            ("#56b4e9", "#ff8c42", "#2fc99a", "#e58fc4", "#13f3ca", "#b8897e", "#d1e83b", "#817bec"), start=1
        )
    },
}
"""Colours for a page with dark paper, by the names of `VARIABLES`."""
LIGHT: dict[str, str] = {
    "ink": INK,
    "faint": FAINT,
    "grid": GRID,
    "paper": PAPER,
    "rest": REST,
    **{f"series-{number}": colour for number, colour in enumerate(SERIES, start=1)},
}
"""The same for light paper: what figures are drawn with."""


class Look(NamedTuple):
    """How one network is drawn: its colour, marker and dashes (lengths in line widths; empty for a solid line)."""

    colour: str
    marker: str
    dashes: tuple[float, ...]

    @property
    def linestyle(self) -> str | tuple[float, tuple[float, ...]]:
        """The dashes as matplotlib takes them."""
        return (0, self.dashes) if self.dashes else "-"


def looks(count: int) -> list[Look]:
    """Of so many networks; all differ up to 72. After eight, colours return with other markers and dashes."""
    return [
        Look(
            SERIES[index % len(SERIES)],
            MARKERS[index % len(MARKERS)],
            DASHES[(index + index // len(SERIES)) % len(DASHES)],
        )
        for index in range(count)
    ]


def on_cell(red: float, green: float, blue: float) -> str:
    """The colour of a number on a cell of this colour (0 to 1 each): the one with the better contrast, by the relative
    luminance of WCAG 2."""
    luminance = relative_luminance(red, green, blue)
    return ON_LIGHT if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else ON_DARK


def relative_luminance(red: float, green: float, blue: float) -> float:
    """Of a colour in sRGB, each component 0 to 1 (WCAG 2.2, "relative luminance")."""
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
