"""What holds for every figure: it is drawn from few and many networks with any names, as a file and in a page."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import threading
from xml.etree import ElementTree

import matplotlib
import pytest

from lst_robust.errors import NothingToEvaluateError, UsageError
from lst_robust.reporting.figure_names import FIGURES
from lst_robust.reporting.figures.export import as_bytes
from lst_robust.reporting.figures.inline_svg import inline_svg
from lst_robust.reporting.palette import DARK, LIGHT, SERIES
from tests.reporting.figures.examples import EXAMPLES, HARD, lines

EVERY = pytest.mark.parametrize("name", EXAMPLES)


@functools.cache
def file_of_three(name: str, format: str) -> bytes:
    """The figure of three networks as a file. It is drawn once, and tests draw it again to compare."""
    return as_bytes(EXAMPLES[name].figure(3), format)


def test_there_is_an_example_of_every_figure() -> None:
    assert set(FIGURES) == set(EXAMPLES) - {"network_curves"}


@EVERY
@pytest.mark.parametrize("width", ["column", "page"])
@pytest.mark.parametrize("count", [1, 20])
def test_is_drawn_in_its_width(name: str, width: str, count: int) -> None:
    figure = EXAMPLES[name].figure(count, width)
    inches = {"column": 3.4, "page": 7.0}[width]
    assert figure.get_figwidth() == inches and 0.8 < figure.get_figheight() < 10
    frame = figure.bbox.padded(3)
    for text in figure.findobj(matplotlib.text.Text):
        if text.get_text().strip() and text.get_visible() and name not in {"agreement"}:
            box = text.get_window_extent()
            assert not text.axes or not text.axes.get_visible() or frame.contains(*box.min), text.get_text()


@EVERY
@pytest.mark.parametrize("count", [1, 20])
def test_inline_svg_keeps_to_a_strict_policy(name: str, count: int) -> None:
    svg = inline_svg(EXAMPLES[name].figure(count), description='five < 6 & "seven"', prefix="fig-1")
    root = ElementTree.fromstring(svg)
    elements = list(root.iter())
    assert root.get("role") == "img" and root.get("aria-label") == 'five < 6 & "seven"'
    assert root.get("viewBox") and not {"width", "height"} & set(root.attrib)
    tags = {element.tag.split("}")[1] for element in elements}
    assert tags <= {"svg", "g", "path", "use", "defs", "clipPath", "rect", "text", "title", "pattern", "tspan"}
    assert not any("style" in element.attrib for element in elements)
    assert re.findall(r"https?:[^\"]*", svg) == ["http://www.w3.org/2000/svg"]
    ids = [element.get("id") for element in elements if "id" in element.attrib]
    assert len(ids) == len(set(ids)) and all(text.startswith("fig-1-") for text in ids)
    attributes = [value for element in elements for key, value in element.attrib.items() if key != "aria-label"]
    used = {target for value in attributes for target in re.findall(r"^#(fig.*)|url\(#([^)]*)\)", value)}
    assert {one or other for one, other in used} == set(ids)
    assert not [value for value in attributes if re.search(r"\d\.\d{3}", value)]
    assert not any("xlink" in key for element in elements for key in element.attrib)
    palette = {colour for colour in LIGHT.values()} - {"#ffffff"}
    assert not [value for value in attributes if value in palette]
    assert {text for value in attributes for text in re.findall(r"var\(--([a-z0-9-]+)\)", value)} <= set(LIGHT)
    assert set(LIGHT) == set(DARK)
    assert len(svg) < 260_000


@EVERY
def test_names_are_text_and_nothing_else(name: str) -> None:
    figure = EXAMPLES[name].figure(5)
    texts = figure.findobj(matplotlib.text.Text)
    assert not any(text.get_parse_math() or text.get_usetex() for text in texts if text.get_text())
    svg = inline_svg(figure, description="d", prefix="a")
    assert "\x1b" not in svg and "<b>" not in svg and "\udc80" not in svg
    shown = ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter()]
    assert name == "network_curves" or any(HARD[0] in text for text in shown)  # that one's name is its page's title


def all_files() -> list:
    """Every figure in every format. Without -m slow: every figure as png, and one figure in the other formats."""
    return [
        pytest.param(name, format, marks=[] if format == "png" or name == "forest" else pytest.mark.slow)
        for name in EXAMPLES
        for format in ("pdf", "svg", "png")
    ]


@pytest.mark.parametrize(("name", "format"), all_files())
def test_files_are_equal_byte_for_byte(name: str, format: str) -> None:
    first = file_of_three(name, format)
    assert first == as_bytes(EXAMPLES[name].figure(3), format)
    assert first.startswith({"pdf": b"%PDF", "svg": b"<?xml", "png": b"\x89PNG"}[format])
    assert b"CreationDate" not in first and b"dc:date" not in first
    if format == "svg":
        ElementTree.fromstring(first)
        assert b"tip:" not in first and b"<text" in first
    if format == "pdf":
        assert b"/FontFile2" in first and b"/Type3" not in first  # TrueType, which journals ask for


@EVERY
def test_what_holds_outside_stays_as_it_is(name: str) -> None:
    with matplotlib.rc_context({"font.size": 31, "axes.facecolor": "red", "text.parse_math": True}):
        before = dict(matplotlib.rcParams)
        figure = EXAMPLES[name].figure(3)
        drawn = as_bytes(figure, "png")
        assert dict(matplotlib.rcParams) == before
    assert drawn == file_of_three(name, "png")


def test_pyplot_is_not_imported() -> None:
    """It would change what holds for the user's own figures."""
    modules = ", ".join(f"lst_robust.reporting.figures.{name}" for name in EXAMPLES)
    code = f"import sys, {modules}; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_threads_take_turns() -> None:
    before, found = dict(matplotlib.rcParams), []
    expected = file_of_three("seeds", "png")
    threads = [
        threading.Thread(target=lambda: found.append(as_bytes(EXAMPLES["seeds"].figure(3), "png"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4 and dict(matplotlib.rcParams) == before


@EVERY
def test_description_is_short_plain_text(name: str) -> None:
    example = EXAMPLES[name]
    for count in (1, 6, 20):
        text = example.describe(example.data(count), **example.options)
        assert text.isprintable() and text.endswith(".") and re.search(r"\d", text)
        assert 80 < len(text) < 3000


def test_tooltips_say_the_numbers() -> None:
    svg = inline_svg(EXAMPLES["curves"].figure(1), description="d", prefix="a")
    titles = [element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}title")]
    assert f"{HARD[0]}, Gauss.: 11.0, 12.0, 13.0, 14.0, 15.0 % at severities 1 to 5" in titles


def test_words_that_are_not_meant() -> None:
    with pytest.raises(UsageError, match="width"):
        EXAMPLES["curves"].figure(1, "poster")
    figure = EXAMPLES["seeds"].figure(1)
    with pytest.raises(UsageError, match="format"):
        as_bytes(figure, "gif")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="prefix"):
        inline_svg(figure, description="d", prefix='a"b')


def test_nothing_to_draw_is_said_in_one_line() -> None:
    for name in set(EXAMPLES) - {"network_curves", "scatter", "agreement"}:
        with pytest.raises(NothingToEvaluateError):
            EXAMPLES[name].draw([], **EXAMPLES[name].options)
    for name in ("scatter", "agreement"):
        empty = (
            EXAMPLES[name]
            .data(2)
            ._replace(**({"points": []} if name == "scatter" else {"clean": None, "corrupted": None}))
        )
        with pytest.raises(NothingToEvaluateError):
            EXAMPLES[name].draw(empty)
    with pytest.raises(NothingToEvaluateError):
        EXAMPLES["network_curves"].draw(lines(1)[0]._replace(errors={"fog": [None] * 5}))


def test_without_matplotlib_one_line_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from lst_robust.errors import UsageError\n"
        "from lst_robust.reporting.figure_names import FIGURES\n"
        "try:\n    import lst_robust.reporting.figures.curves\n"
        "except UsageError as error:\n    print(error)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout == "drawing figures needs matplotlib: pip install 'lst-robust[report]'\n", found.stderr


def test_series_colours_stand_out_from_the_paper() -> None:
    from lst_robust.reporting.palette import relative_luminance

    def contrast(one: str, other: str) -> float:
        light = sorted(
            relative_luminance(*(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))) for colour in (one, other)
        )
        return (light[1] + 0.05) / (light[0] + 0.05)

    assert len(set(SERIES)) == 8
    for number in range(1, 9):
        assert contrast(LIGHT[f"series-{number}"], LIGHT["paper"]) >= 3
        assert contrast(DARK[f"series-{number}"], DARK["paper"]) >= 3
    for palette in (LIGHT, DARK):
        assert contrast(palette["ink"], palette["paper"]) >= 7
        assert contrast(palette["faint"], palette["paper"]) >= 4.5
