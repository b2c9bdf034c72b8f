"""The colours of the page, light and dark: their contrast by WCAG 2.2."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from lst_robust.reporting.page.render import colour_variables

STYLE = colour_variables() + (files("lst_robust.reporting.page") / "page.css").read_text(encoding="utf-8")
PAIR = re.compile(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
COLOURS = {name: (light, dark) for name, light, dark in PAIR.findall(STYLE)}
TEXTS = ("ink", "faint", "link", "good", "bad")  # 4.5:1
GRAPHICS = ("edge", *(f"series-{number}" for number in range(1, 9)))  # 3:1
QUIET = ("grid", "rest", "band")  # lines and areas that are not needed to understand the page


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    least, most = sorted((luminance(one), luminance(other)))
    return (most + 0.05) / (least + 0.05)


def test_the_measure() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def test_every_colour_has_its_demand() -> None:
    assert set(COLOURS) == {*TEXTS, *GRAPHICS, *QUIET, "paper", "shade"}


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("paper", ["paper", "shade"])
@pytest.mark.parametrize("name", TEXTS)
def test_texts_can_be_read(name: str, paper: str, mode: int) -> None:
    assert contrast(COLOURS[name][mode], COLOURS[paper][mode]) >= 4.5


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", GRAPHICS)
def test_lines_and_dots_can_be_seen(name: str, mode: int) -> None:
    assert contrast(COLOURS[name][mode], COLOURS["paper"][mode]) >= 3


def test_every_variable_is_defined() -> None:
    assert set(re.findall(r"var\(--([a-z0-9-]+)", STYLE)) <= set(re.findall(r"--([a-z0-9-]+):", STYLE))


def test_no_style_asks_for_a_file() -> None:
    assert "url(" not in STYLE and "@import" not in STYLE and "</" not in STYLE
